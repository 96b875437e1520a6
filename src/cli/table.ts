/** Columns of a terminal that tables keep to, where words allow. */
const WIDTH = 80;
/** No narrower than this is the last column wrapped. */
const LEAST_WRAP = 24;
const MARGIN = '  ';

/**
 * A table as telephone people know it (Asterisk's rules for its console): two spaces of margin and between columns, one-word
 * CamelCase heads. The last column is wrapped between words.
 */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  return layOut([heads, ...rows]);
}

/** Names and values, one pair a line, in the look of `table`. */
export function facts(pairs: readonly (readonly [name: string, value: string])[]): string {
  return layOut(pairs);
}

/** One line with the margin of tables. */
export const summaryLine = (text: string): string => `${MARGIN}${text}\n`;

function layOut(rows: readonly (readonly string[])[]): string {
  const last = Math.max(0, ...rows.map((row) => row.length - 1));
  const widths = Array.from({ length: last }, (_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  const indent = widths.reduce((sum, width) => sum + width + MARGIN.length, MARGIN.length);
  const lines = rows.flatMap((row) => {
    const cells = widths.map((width, column) => (row[column] ?? '').padEnd(width));
    const [first = '', ...more] = wrap(row[last] ?? '', Math.max(WIDTH - indent, LEAST_WRAP));
    const whole = `${MARGIN}${[...cells, first].join(MARGIN)}`;
    return [whole, ...more.map((text) => `${' '.repeat(indent)}${text}`)];
  });
  return lines.map((line) => `${line.trimEnd()}\n`).join('');
}

/** Breaks between words alone: a URI stays in one piece. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
