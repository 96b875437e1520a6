import type { RecordFormat } from './record-format.js';

/** One JSON object a line: the whole record, and the form that others are made of. */
export const jsonlFormat: RecordFormat = {
  header: '',
  line: (record) => `${escapeLineSeparators(JSON.stringify(record))}\n`,
  callOf,
  // What begins an object is none until it ends.
  isWhole: (cutShort) => callOf(cutShort) !== undefined,
  mend: () => '\n',
};

function callOf(line: string): string | undefined {
  try {
    const { call } = JSON.parse(line) as { readonly call?: unknown };
    return typeof call === 'string' ? call : undefined;
  } catch {
    return undefined;
  }
}

/** JSON allows them, but some readers break lines there. */
function escapeLineSeparators(line: string): string {
  return line.replace(/[\u0085\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
