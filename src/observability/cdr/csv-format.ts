import type { CallRecord } from '../../call/call-record.js';
import type { DirectionSummary, LegQuality, MediaSide } from '../../call/media-quality.js';
import type { RecordFormat } from './record-format.js';

type OfLeg = Exclude<keyof LegQuality, 'received' | 'sent'> | `${'received' | 'sent'}.${keyof DirectionSummary}`;

/** Where a value stands in the record, which is also what its column is called. */
type Column = Exclude<keyof CallRecord, 'quality'> | `quality.${MediaSide}.${OfLeg}`;

/**
 * The columns in their order, which is fixed: programs count them. What is added goes to the end; `version`, which grows when a
 * column changes its meaning or goes away, is the first, and the call's id the second.
 */
export const csvColumns = [
  ...(['version', 'call', 'direction', 'number', 'user', 'userId', 'trunk', 'caller', 'divertedBy'] as const),
  ...(['start', 'answer', 'end', 'durationMs', 'billsecMs'] as const),
  ...(['endedBy', 'code', 'sipStatus', 'q850', 'result', 'metaCode', 'text'] as const),
  ...(['waCallId', 'metaStart', 'metaEnd', 'metaDurationS', 'metaStatus'] as const),
  ...(['ctaPayload', 'deeplinkPayload', 'opaque', 'sipCallIdA', 'sipCallIdB', 'codec', 'srtp'] as const),
  ...(['quality.whatsapp.codec'] as const),
  ...(['quality.whatsapp.received.packets', 'quality.whatsapp.received.lost'] as const),
  ...(['quality.whatsapp.received.jitterAvgMs', 'quality.whatsapp.received.jitterMaxMs'] as const),
  ...(['quality.whatsapp.received.mosMin', 'quality.whatsapp.received.mosAvg'] as const),
  ...(['quality.whatsapp.received.levelAvgDbfs', 'quality.whatsapp.received.levelMaxDbfs'] as const),
  ...(['quality.whatsapp.sent.packets', 'quality.whatsapp.sent.lost'] as const),
  ...(['quality.whatsapp.sent.jitterAvgMs', 'quality.whatsapp.sent.jitterMaxMs'] as const),
  ...(['quality.whatsapp.sent.mosMin', 'quality.whatsapp.sent.mosAvg'] as const),
  ...(['quality.whatsapp.sent.levelAvgDbfs', 'quality.whatsapp.sent.levelMaxDbfs'] as const),
  ...(['quality.whatsapp.roundTripAvgMs', 'quality.whatsapp.roundTripMaxMs'] as const),
  ...(['quality.pbx.codec'] as const),
  ...(['quality.pbx.received.packets', 'quality.pbx.received.lost'] as const),
  ...(['quality.pbx.received.jitterAvgMs', 'quality.pbx.received.jitterMaxMs'] as const),
  ...(['quality.pbx.received.mosMin', 'quality.pbx.received.mosAvg'] as const),
  ...(['quality.pbx.received.levelAvgDbfs', 'quality.pbx.received.levelMaxDbfs'] as const),
  ...(['quality.pbx.sent.packets', 'quality.pbx.sent.lost'] as const),
  ...(['quality.pbx.sent.jitterAvgMs', 'quality.pbx.sent.jitterMaxMs'] as const),
  ...(['quality.pbx.sent.mosMin', 'quality.pbx.sent.mosAvg'] as const),
  ...(['quality.pbx.sent.levelAvgDbfs', 'quality.pbx.sent.levelMaxDbfs'] as const),
  ...(['quality.pbx.roundTripAvgMs', 'quality.pbx.roundTripMaxMs'] as const),
] as const satisfies readonly Column[];

/** No type, and so an error of the compiler below, while a field of the record has no column. */
type Complete = Exclude<Column, (typeof csvColumns)[number]> extends never ? readonly string[] : never;
const columns: Complete = csvColumns;

const lineEnd = '\r\n';

/**
 * Comma-separated values (RFC 4180) in UTF-8, a header line first. Line breaks and control characters within a text are spaces
 * here, so that every record is one line for any reader; the JSON file has the text as it was.
 */
export const csvFormat: RecordFormat = {
  header: `${columns.join(',')}${lineEnd}`,
  line: (record) => `${columns.map((column) => cellOf(valueAt(record, column))).join(',')}${lineEnd}`,
  // Neither of the first two cells is ever quoted. A line that was cut short is nobody's record.
  callOf: (line) => (cellsIn(line) === columns.length ? /^\d+,([0-9A-Za-z]+),/.exec(line)?.[1] : undefined),
  isWhole: (cutShort) => cutShort.endsWith('\r') && cellsIn(cutShort) === columns.length,
  mend: (cutShort) => {
    if (csvFormat.isWhole(cutShort)) return '\n';
    const closed = isOpen(cutShort) ? `${cutShort}"` : cutShort;
    // With its last cell cut it would look whole.
    const beyond = cellsIn(closed) === columns.length ? ',' : '';
    return `${closed.slice(cutShort.length)}${beyond}${lineEnd}`;
  },
};

const isOpen = (text: string): boolean => (text.split('"').length - 1) % 2 === 1;

/** A quotation mark within a cell is doubled, so what stands between two of them is one cell's or nothing. */
const cellsIn = (line: string): number => line.replace(/"[^"]*"?/g, '').split(',').length;

function valueAt(record: CallRecord, column: string): unknown {
  let value: unknown = record;
  for (const name of column.split('.')) value = (value as Readonly<Record<string, unknown>> | undefined)?.[name];
  return value;
}

function cellOf(value: unknown): string {
  if (typeof value === 'number') return String(value);
  if (typeof value !== 'string' || value === '') return '';
  const text = unarmed(value.replace(/[\p{Cc}\u2028\u2029]+/gu, ' '));
  return /[",;]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A telephone number: what billing programs look up, so it stays as it is. A spreadsheet makes a number of it, nothing worse. */
const telephone = /^\+\d{1,15}$/;
/** What spreadsheets take for the beginning of a formula, at the start or behind what some of them separate cells by. */
const formula = /(^|[,;])(\s*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])/g;

/** Users choose some of these texts: an apostrophe keeps spreadsheets from running them (CSV injection, OWASP). */
function unarmed(text: string): string {
  return telephone.test(text) ? text : text.replace(formula, "$1$2'");
}
