import { assertNever } from '../../lib/assert-never.js';
import { header } from '../sip/message.js';
import type { SipHeader } from '../sip/message.js';
import type { Hop, OpenCall } from './call-record.js';
import type { BeginLine, RecordLine, StepLine } from './record-line.js';
import { decodeLine, headersOf, hopOf } from './record-line.js';

/** What a record file says. */
export interface Replayed {
  /** Calls that are open at its end, in the order they began. */
  readonly calls: readonly OpenCall[];
  /** Lines that cannot be read: the torn last one of a crash, or damage. */
  readonly damaged: number;
}

/** Reads a record file's text. Never throws; what cannot be read is left out. */
export function replay(text: string): Replayed {
  const calls = new Map<string, OpenCall>();
  let damaged = 0;
  for (const entry of text.split('\n')) {
    if (entry === '') continue;
    const line = decodeLine(entry);
    if (line) apply(calls, line);
    else damaged++;
  }
  return { calls: [...calls.values()], damaged };
}

function apply(calls: Map<string, OpenCall>, line: RecordLine): void {
  if (isBegin(line)) {
    calls.set(line[1], opened(line));
  } else if (line[0] === 'ended') {
    calls.delete(line[1]);
  } else {
    const call = calls.get(line[1]);
    if (call) advance(call, line);
  }
}

const isBegin = (line: RecordLine): line is BeginLine => line[0] === 'arrived' || line[0] === 'calling';

function opened([event, id, place, uri, headers]: BeginLine): OpenCall {
  return {
    id,
    direction: event === 'arrived' ? 'arrived' : 'dialled',
    stage: 'pending',
    hop: hopOf(place),
    uri,
    headers: headersOf(headers),
    localTag: undefined,
    heard: undefined,
  };
}

function advance(call: OpenCall, line: StepLine): void {
  switch (line[0]) {
    case 'tagged':
      call.localTag = line[2];
      return;
    case 'answered':
      call.localTag = line[2];
      call.stage = 'answered';
      return;
    case 'acknowledged':
      call.stage = 'acknowledged';
      return;
    case 'heard':
      call.heard = { hop: hopOf(line[2]), status: line[3], headers: headersOf(line[4]) };
      if (line[3] >= 200) call.stage = 'answered';
      return;
    case 'moved':
      return move(call.heard ?? call, hopOf(line[2]), line[3]);
    default:
      assertNever(line, 'record line');
  }
}

/** Replaces the Contact, wherever the dialog learned it. */
function move(learned: { hop: Hop; headers: readonly SipHeader[] }, hop: Hop, target: string): void {
  learned.hop = hop;
  learned.headers = [...learned.headers.filter((line) => line.key !== 'contact'), header('Contact', `<${target}>`)];
}
