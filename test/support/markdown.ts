/** A fenced block, without its indentation. */
export interface Fence {
  readonly language: string;
  readonly text: string;
}

/** Every fenced block of a page, in order. */
export function fencesOf(page: string): Fence[] {
  const blocks = page.matchAll(/^( *)```(\w*)\n([\s\S]*?)^\1```$/gm);
  return [...blocks].map(([, indent = '', language = '', text = '']) => ({
    language,
    text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  }));
}

/** The page without its fenced blocks. */
const proseOf = (page: string): string => page.replace(/^( *)```\w*\n[\s\S]*?^\1```$/gm, '');

/** Every command line of the `sh` blocks, without its comment. */
export function commandsOf(page: string): string[] {
  return fencesOf(page)
    .filter(({ language }) => language === 'sh')
    .flatMap(({ text }) => text.replaceAll(/\\\n\s*/g, '').split('\n'))
    .map((line) => line.replace(/(?:^|\s+)#\s.*$/, '').trim())
    .filter((line) => line !== '');
}

/** What stands between backticks in running text and in tables; a span may go on in the next line. */
export function codeSpansOf(page: string): string[] {
  return [...proseOf(page).matchAll(/`([^`]+)`/g)].map(([, code = '']) => code.replaceAll(/\s*\n\s*/g, ' '));
}

/** Targets of all links. */
export function linksOf(page: string): string[] {
  return [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
}

/** Names by which the headings can be linked to, as GitHub makes them. */
export function anchorsOf(page: string): Set<string> {
  const headings = [...proseOf(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

/** Rows of the table whose first column has this heading, as the text of their cells. @throws Error when there is none */
export function tableOf(page: string, heading: string): string[][] {
  const lines = page.split('\n');
  const at = lines.findIndex((line) => line.startsWith(`| ${heading} |`));
  if (at < 0) throw new Error(`no table of ${heading}`);
  const end = lines.findIndex((line, index) => index > at && !line.startsWith('|'));
  return lines.slice(at + 2, end).map((line) =>
    line
      .slice(1, line.lastIndexOf('|'))
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim()),
  );
}

/** Paragraphs of running text, each on one line. */
export function paragraphsOf(page: string): string[] {
  return proseOf(page)
    .split(/\n{2,}/)
    .map((text) => text.replaceAll(/\s*\n\s*/g, ' ').trim());
}
