import type { CallRecord } from '../../call/call-record.js';

/** How call records stand in a file: a line each. */
export interface RecordFormat {
  /** First line of a new file, its line end included; empty: there is none. */
  readonly header: string;
  /** A record as one whole line, whatever its texts. */
  line(record: CallRecord): string;
  /** The call that a whole line is the record of; undefined if it is none. */
  callOf(line: string): string | undefined;
  /** What ends a line that was cut short, so that the next one stands for itself. */
  mend(cutShort: string): string;
}
