import type { CallRecord } from '../../call/call-record.js';

/** How call records stand in a file: a line each. */
export interface RecordFormat {
  /** First line of a new file, its line end included; empty: there is none. */
  readonly header: string;
  /** A record as one whole line, whatever its texts. */
  line(record: CallRecord): string;
  /** The call that a whole line is the record of; undefined if it is none, as one that was cut short and ended later. */
  callOf(line: string): string | undefined;
  /** Whether nothing but the end is missing of the last line. */
  isWhole(cutShort: string): boolean;
  /** What ends a line that was cut short, so that the next one stands for itself, and this one for no record unless it is whole. */
  mend(cutShort: string): string;
}

/** Calls whose record is in the text of a file. */
export function callsOf(text: string, format: RecordFormat): string[] {
  const lines = text.split('\n');
  const last = lines.pop() ?? '';
  if (format.isWhole(last)) lines.push(last);
  return lines.flatMap((line) => format.callOf(line) ?? []);
}
