import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JournalData, JournalEntry, JournalEvent } from '../../../src/call/journal.js';
import { OpenCalls } from '../../../src/journal/open-calls.js';
import type { CallId } from '../../../src/lib/ids.js';

/** What is up in the world because of one call, as its two sides would say; the reference that the fold is held against. */
interface World {
  meta: string[];
  sip: string[];
  unnamed: boolean;
  /** A record is due. */
  due: boolean;
}
/** One entry, and what is true once it is in the journal. */
type Step = readonly [entry: JournalEntry, change: (world: World) => void];
type Script = readonly Step[];

const numberId = '1055';
const step = (call: string, event: JournalEvent, data: JournalData, change: (world: World) => void = () => undefined) =>
  [{ call: call as CallId, event, data }, change] as const;
const hook = (kind: string, waCallId: string, more: JournalData = {}, change?: (world: World) => void): Step =>
  step(`DELIVERY-${kind}-${waCallId}`, 'webhook', { kind, numberId, waCallId, ...more }, change);
const over = (world: World): void => void Object.assign(world, { meta: [], sip: [], unnamed: false, due: false });
const sipOver = (world: World): void => void (world.sip = []);
const when = (is: boolean, ...steps: Step[]): Step[] => (is ? steps : []);

/** How one call goes, by a few choices. */
interface Course {
  readonly repeats: number;
  /** A second server is tried; of a call from the PBX: its INVITE is journalled. */
  readonly failover: boolean;
  readonly isAnswered: boolean;
  readonly userEnds: boolean;
  readonly isByeUnconfirmed: boolean;
  readonly isKeyFirst: boolean;
}

function userCall(id: string, course: Course): Script {
  const [w, s, call] = [`wa-${id}`, course.failover ? `sip2-${id}` : `sip1-${id}`, `CALL-${id}`];
  const connect = hook('user_connect', w, { timestampMs: '5' }, (world) => {
    world.meta = [w];
    world.due = true;
  });
  const again = hook('user_connect', w);
  const dial = (sipCallId: string): Step =>
    step(call, 'dial', { sipCallId, localTag: 't' }, (world) => void (world.sip = [sipCallId]));
  return [
    connect,
    step(call, 'began', { direction: 'user_initiated', startMs: '6', number: 'sales', waCallId: w, numberId }),
    ...Array.from({ length: course.repeats }, () => again),
    ...when(course.repeats > 0, step('ROUTER', 'webhook_settled', { waCallId: w })),
    ...when(course.failover, dial(`sip1-${id}`), step(call, 'dialog_ended', { sipCallId: `sip1-${id}` }, sipOver)),
    dial(s),
    ...when(
      course.isAnswered,
      step(call, 'dialog', { sipCallId: s, cseq: '1' }),
      step(call, 'accept', { leg: 'whatsapp', numberId, waCallId: w }),
    ),
    ...when(
      course.userEnds,
      hook('call_terminate', w, {}, (world) => void (world.meta = [])),
    ),
    course.isByeUnconfirmed
      ? step(call, 'bye_unconfirmed', { sipCallId: s })
      : step(call, 'dialog_ended', { sipCallId: s }, sipOver),
    step(call, 'ended', { waCallId: w }, over),
  ];
}

function businessCall(id: string, course: Course): Script {
  const [w, s, call] = [`wa-${id}`, `sip-${id}`, `CALL-${id}`];
  const named = (world: World): void => void Object.assign(world, { meta: [w], unnamed: false });
  return [
    ...when(
      course.failover,
      step(call, 'invited', { sipCallId: s }, (world) => void Object.assign(world, { sip: [s], due: true })),
    ),
    step(call, 'began', { direction: 'business_initiated', startMs: '6' }, (world) => void (world.due = true)),
    step(call, 'dial', { leg: 'whatsapp', numberId, opaque: `s2w:${call}` }, (world) => void (world.unnamed = true)),
    ...when(course.isKeyFirst, hook('call_status', w, { opaqueCall: call, status: 'RINGING' }, named)),
    step(call, 'connected', { leg: 'whatsapp', numberId, waCallId: w }, named),
    ...Array.from({ length: course.repeats }, () => hook('business_connect', w)),
    ...when(
      course.isAnswered,
      hook('call_status', w, { status: 'ACCEPTED' }),
      step(call, 'dialog', { sipCallId: s, cseq: '1' }, (world) => void (world.sip = [s])),
    ),
    ...when(
      course.userEnds,
      hook('call_terminate', w, {}, (world) => void (world.meta = [])),
    ),
    ...when(
      (course.isAnswered || course.failover) && !course.isByeUnconfirmed,
      step(call, 'dialog_ended', { sipCallId: s }, sipOver),
    ),
    step(call, 'ended', { waCallId: w }, over),
  ];
}

/** A connect that the router drops, or that its user gives up before a call is made of it. */
function droppedCall(id: string, { userEnds, repeats }: Course): Script {
  const w = `wa-${id}`;
  const open = (world: World): void => void Object.assign(world, { meta: [w], due: true });
  const end = userEnds ? hook('call_terminate', w, {}, over) : step('ROUTER', 'webhook_settled', { waCallId: w }, over);
  return [...Array.from({ length: repeats + 1 }, () => hook('user_connect', w, {}, open)), end];
}

/** Events of another app's calls on the same number. */
function foreignCall(id: string, { repeats }: Course): Script {
  const kinds = ['business_connect', 'call_status', 'call_terminate'];
  return Array.from({ length: repeats + 3 }, (_, at) => hook(kinds[at % 3] ?? '', `foreign-${id}`));
}

const course = fc.record<Course>({
  repeats: fc.nat(2),
  failover: fc.boolean(),
  isAnswered: fc.boolean(),
  userEnds: fc.boolean(),
  isByeUnconfirmed: fc.boolean(),
  isKeyFirst: fc.boolean(),
});
const script = fc.tuple(fc.constantFrom(userCall, businessCall, droppedCall, foreignCall), course);

/** Scripts, the order in which their steps come (each number picks a script that has steps left), and where the journal ends. */
const journal = fc
  .tuple(fc.array(script, { minLength: 1, maxLength: 8 }), fc.array(fc.nat(1000), { maxLength: 120 }))
  .map(([made, order]) => {
    const scripts = made.map(([make, how], at) => make(String(at), how));
    const worlds = scripts.map((): World => ({ meta: [], sip: [], unnamed: false, due: false }));
    const next = scripts.map(() => 0);
    const entries: JournalEntry[] = [];
    for (const pick of order) {
      const left = scripts.flatMap((steps, at) => (next[at]! < steps.length ? [at] : []));
      const at = left[pick % Math.max(1, left.length)];
      if (at === undefined) break;
      const [entry, change] = scripts[at]![next[at]!++]!;
      entries.push(entry);
      change(worlds[at]!);
    }
    return { entries, worlds };
  });

function fold(entries: readonly JournalEntry[]): OpenCalls {
  const open = new OpenCalls();
  for (const entry of entries) open.apply(entry);
  return open;
}

/** What is up by the fold, call by call, in the words of the reference. */
const worldOf = (open: OpenCalls): World[] =>
  open.calls().map(({ waCalls, dialogs, isIdUnknown, isRecorded }) => ({
    meta: waCalls.map(({ waCallId }): string => waCallId),
    sip: dialogs.map(({ sipCallId }) => sipCallId),
    unnamed: isIdUnknown,
    due: !isRecorded,
  }));
const sorted = (worlds: readonly World[]): string[] => worlds.map((world) => JSON.stringify(world)).sort();
const runs = { numRuns: 3000 };

describe('the fold of a journal', () => {
  it('knows exactly what is up on both sides, however calls interleave and wherever the journal ends', () => {
    fc.assert(
      fc.property(journal, ({ entries, worlds }) => {
        const up = worlds.filter(({ due }) => due);
        expect(sorted(worldOf(fold(entries)))).toEqual(sorted(up));
      }),
      runs,
    );
  });

  it('is the same from the entries that a new segment begins with, wherever the segments meet', () => {
    fc.assert(
      fc.property(journal, fc.nat(120), ({ entries }, cut) => {
        const carried = fold(entries.slice(0, cut)).entries();
        const refolded = fold([...carried, ...entries.slice(cut)]);
        expect(sorted(worldOf(refolded))).toEqual(sorted(worldOf(fold(entries))));
        expect(carried.length).toBeLessThanOrEqual(Math.min(cut, entries.length));
      }),
      runs,
    );
  });

  it('holds nothing once every call is over', () => {
    fc.assert(
      fc.property(journal, ({ entries, worlds }) => {
        const open = fold(entries);
        if (worlds.every(({ due }) => !due)) expect(open.entries()).toEqual([]);
        else expect(open.entries().length).toBeGreaterThan(0);
      }),
      runs,
    );
  });
});
