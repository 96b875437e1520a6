import { headerName } from './header-names.js';
import type { SipHeader } from './message.js';

const BLANK = 0x20;
const TAB = 0x09;

/**
 * The headers of a section that is written just as this server writes one, as most are: a line each, `Name: value` with the
 * long name, one blank, and none at the end. Undefined for any other section, which the general reader then has to look at.
 */
export function plainHeaders(text: string): SipHeader[] | undefined {
  const headers: SipHeader[] = [];
  let start = 0;
  while (start <= text.length) {
    const end = endOfLine(text, start);
    const line = plainLine(text, start, end);
    if (!line) return undefined;
    headers.push(line);
    start = end + 2;
  }
  return headers;
}

/** Where the line ends, below `start` when CR and LF do not stand together. */
function endOfLine(text: string, start: number): number {
  const carriageReturn = text.indexOf('\r', start);
  const lineFeed = text.indexOf('\n', start);
  if (carriageReturn < 0 && lineFeed < 0) return text.length;
  return lineFeed === carriageReturn + 1 ? carriageReturn : -1;
}

function plainLine(text: string, start: number, end: number): SipHeader | undefined {
  const colon = text.indexOf(':', start);
  if (colon < 0 || colon + 2 >= end) return undefined;
  const { name, key, isToken } = headerName(text.slice(start, colon));
  if (!isToken || name.length !== colon - start || text.charCodeAt(colon + 1) !== BLANK) return undefined;
  const first = text.charCodeAt(colon + 2);
  const last = text.charCodeAt(end - 1);
  if (first === BLANK || first === TAB || last === BLANK || last === TAB) return undefined;
  return { name, key, value: text.slice(colon + 2, end) };
}
