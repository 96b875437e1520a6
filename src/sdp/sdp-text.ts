import { parse, write, type MediaDescription, type SessionDescription } from 'sdp-transform';
import { SdpError } from './sdp-error.js';

/** Limits on a description from outside: far above any real one, far below what costs time. */
const maxBytes = 16_384;
const maxLines = 400;
const maxLineLength = 1024;
const maxSections = 16;

/** A media section whose `m=` line is complete, with its attribute lines as they were written. */
export interface SdpSection {
  readonly media: MediaDescription;
  /** Lines of the section, its `m=` line first, without line ends. */
  readonly lines: readonly string[];
}

/** A description from outside after the first checks. */
export interface SdpDocument {
  readonly session: SessionDescription;
  /** Lines before the first `m=`. */
  readonly sessionLines: readonly string[];
  readonly sections: readonly SdpSection[];
}

/**
 * Reads a description (RFC 8866) within the limits on size.
 * @throws SdpError `bad_request` if it is none, is too large or has an `m=` line that cannot be read.
 */
export function readSdp(text: string): SdpDocument {
  const blocks = splitSections(checkedLines(text));
  const session = parsed(text);
  const [sessionLines = [], ...mediaLines] = blocks;
  if (mediaLines.length === 0) throw new SdpError('bad_request', 'SDP has no media section');
  if (mediaLines.length > maxSections) throw new SdpError('bad_request', `SDP has over ${maxSections} media sections`);
  const sections = session.media.map((media, index) => ({ media, lines: mediaLines[index] ?? [] }));
  if (!sections.every(({ media }) => isCompleteMediaLine(media))) {
    throw new SdpError('bad_request', 'SDP has an m= line that cannot be read');
  }
  return { session, sessionLines, sections };
}

/** Writes a description with CRLF line ends. */
export function writeSdp(session: SessionDescription): string {
  return write(session);
}

/** sdp-transform turns digits into numbers; this gives back what was written. */
export function textOf(value: string | number | undefined): string {
  return value === undefined ? '' : String(value);
}

/** A number of a parsed description, NaN if it is missing or none: sdp-transform leaves what is no plain integer as text. */
export function numberOf(value: string | number | undefined): number {
  return value === undefined || value === '' ? NaN : Number(value);
}

/** Payload types (or formats) of an `m=` line, in order. */
export function formatsOf(media: MediaDescription): string[] {
  return textOf(media.payloads)
    .split(' ')
    .filter((format) => format !== '');
}

function checkedLines(text: string): string[] {
  if (text.length > maxBytes) throw new SdpError('bad_request', `SDP is over ${maxBytes} bytes`);
  if (text.includes('\0')) throw new SdpError('bad_request', 'SDP has a NUL byte');
  const lines = text.split(/\r\n|\r|\n/).filter((line) => line !== '');
  if (lines.length > maxLines) throw new SdpError('bad_request', `SDP has over ${maxLines} lines`);
  if (lines.some((line) => line.length > maxLineLength)) {
    throw new SdpError('bad_request', `SDP has a line over ${maxLineLength} characters`);
  }
  if (lines[0] !== 'v=0') throw new SdpError('bad_request', 'SDP does not begin with v=0');
  return lines;
}

/** Session block first, then one block for each `m=` line, just as sdp-transform cuts them. */
function splitSections(lines: readonly string[]): string[][] {
  const blocks: string[][] = [[]];
  for (const line of lines) {
    if (line.startsWith('m=')) blocks.push([]);
    blocks.at(-1)?.push(line);
  }
  return blocks;
}

function parsed(text: string): SessionDescription {
  try {
    return parse(text);
  } catch (cause) {
    throw new SdpError('bad_request', 'SDP cannot be parsed', { cause });
  }
}

function isCompleteMediaLine(media: Partial<MediaDescription>): boolean {
  const { type, port, protocol, payloads } = media;
  const hasPort = typeof port === 'number' && Number.isInteger(port) && port >= 0 && port <= 65_535;
  return hasPort && textOf(type) !== '' && textOf(protocol) !== '' && textOf(payloads) !== '';
}
