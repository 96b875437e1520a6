import type { JournalData, JournalEntry, OrphanDialog } from '../call/journal.js';
import type { CallDirection } from '../call/call-record.js';
import type { CallId, WaCallId } from '../lib/ids.js';

/** A call at Meta that may be up. */
export interface OpenWaCall {
  readonly numberId: string;
  readonly waCallId: WaCallId;
}

/** What the journal knows of a call that is not over. */
export interface OpenCall {
  /** Undefined for a user's connect that no call was made of yet. */
  readonly call: CallId | undefined;
  readonly direction: CallDirection;
  /** Alias of the business number, when the call was routed. */
  readonly number: string | undefined;
  readonly trunk: string | undefined;
  /** Wall clock, milliseconds; undefined when unknown. */
  readonly startMs: number | undefined;
  /** Its call record was written: by an earlier recovery, or at the call's end, which a late dialog outlived. */
  readonly isRecorded: boolean;
  readonly waCalls: readonly OpenWaCall[];
  /** A connect may have gone out whose call Meta has not named: webhooks that carry our key name it. */
  readonly isIdUnknown: boolean;
  readonly dialogs: readonly OrphanDialog[];
}

/** The entries that matter of one call, or of a user's connect that no call was made of yet (`call` is undefined). */
interface Group {
  readonly call: CallId | undefined;
  readonly entries: Map<string, JournalEntry>;
  readonly waCallIds: Set<string>;
}

/** What makes a call ours: without one of these nothing of it is to be ended. */
const openers: ReadonlySet<string> = new Set(['began', 'invited', 'dial', 'dialog', 'connected', 'accept']);

/** All there is of a call whose far end answered after the call had ended. */
const ofLateDialog: ReadonlySet<string> = new Set(['dialog', 'bye_unconfirmed']);

/**
 * The fold of a journal: what is still open after its entries. Keeps for each open call the last entry of each kind, which is
 * what a new segment begins with. Holds nothing of calls that are over nor of calls that are not ours.
 */
export class OpenCalls {
  readonly #byCall = new Map<CallId, Group>();
  readonly #byWaCall = new Map<string, Group>();
  readonly #replies = new Map<string, JournalEntry>();

  apply(entry: JournalEntry): void {
    const { call, event, data } = entry;
    switch (event) {
      case 'webhook':
        return this.#webhook(entry);
      case 'webhook_settled':
        return this.#closeUnclaimed(data['waCallId']);
      case 'permission_handled':
        this.#replies.delete(data['key'] ?? '');
        return;
      case 'ended':
        this.#close(this.#byCall.get(call));
        return this.#closeUnclaimed(data['waCallId']);
      case 'recorded':
        return this.#note(this.#byCall.get(call) ?? this.#ofWaCall(data), entry);
      case 'bye_unconfirmed':
        return this.#note(this.#byCall.get(call), entry);
      case 'dialog_ended':
        return this.#dialogEnded(entry);
      default:
        if (openers.has(event)) this.#note(this.#begin(entry), entry);
    }
  }

  /** Calls that are not over, in the order in which they came. */
  calls(): OpenCall[] {
    return this.#groups().map(openCall);
  }

  /** Data of the permission replies that nobody has acted on. */
  permissionReplies(): JournalData[] {
    return [...this.#replies.values()].map(({ data }) => data);
  }

  /** Fewest entries that give the same fold. */
  entries(): JournalEntry[] {
    const ofGroups = this.#groups().flatMap(({ entries }) => {
      const all = [...entries.values()];
      // A call must be there before what is said of it.
      const isOpener = ({ event }: JournalEntry): boolean => openers.has(event);
      return [...all.filter(isOpener), ...all.filter((entry) => !isOpener(entry))];
    });
    return [...ofGroups, ...this.#replies.values()];
  }

  #groups(): Group[] {
    return [...new Set([...this.#byCall.values(), ...this.#byWaCall.values()])];
  }

  #webhook(entry: JournalEntry): void {
    const { kind = '', waCallId = '', key = '', opaqueCall = '' } = entry.data;
    if (kind === 'permission_reply') {
      this.#replies.set(key, entry);
      return;
    }
    const group = this.#byWaCall.get(waCallId) ?? this.#byCall.get(opaqueCall as CallId);
    if (kind === 'call_terminate' && group?.call === undefined) return this.#close(group);
    // Statuses and answers of calls that are not ours begin nothing.
    const opened = group ?? (kind === 'user_connect' ? newGroup(undefined) : undefined);
    this.#note(opened, entry);
  }

  /** The group of the entry's call; it takes over what its user's connect left. */
  #begin({ call, data }: JournalEntry): Group {
    const group = this.#byCall.get(call) ?? newGroup(call);
    this.#byCall.set(call, group);
    const unclaimed = this.#ofWaCall(data);
    if (unclaimed && unclaimed.call === undefined) {
      this.#close(unclaimed);
      for (const [key, entry] of unclaimed.entries) group.entries.set(key, entry);
    }
    return group;
  }

  #ofWaCall(data: JournalData): Group | undefined {
    return this.#byWaCall.get(data['waCallId'] ?? '');
  }

  #note(group: Group | undefined, entry: JournalEntry): void {
    if (!group) return;
    const { kind = '', sipCallId = '', waCallId = '', opaque = '' } = entry.data;
    group.entries.set([entry.event, kind, sipCallId, waCallId, opaque].join('|'), entry);
    if (waCallId === '') return;
    group.waCallIds.add(waCallId);
    this.#byWaCall.set(waCallId, group);
  }

  #dialogEnded({ call, data }: JournalEntry): void {
    const group = this.#byCall.get(call);
    if (!group) return;
    for (const [key, entry] of group.entries) {
      if (entry.data['sipCallId'] === data['sipCallId']) group.entries.delete(key);
    }
    // Of a call that ended before its dialog did, this was the last.
    if (![...group.entries.values()].some(({ event }) => openers.has(event))) this.#close(group);
  }

  #closeUnclaimed(waCallId: string | undefined): void {
    const group = this.#byWaCall.get(waCallId ?? '');
    if (group && group.call === undefined) this.#close(group);
  }

  #close(group: Group | undefined): void {
    if (!group) return;
    if (group.call !== undefined) this.#byCall.delete(group.call);
    for (const waCallId of group.waCallIds) {
      if (this.#byWaCall.get(waCallId) === group) this.#byWaCall.delete(waCallId);
    }
  }
}

function newGroup(call: CallId | undefined): Group {
  return { call, entries: new Map(), waCallIds: new Set() };
}

function openCall({ call, entries }: Group): OpenCall {
  const all = [...entries.values()];
  const first = (event: string): JournalData | undefined => all.find((entry) => entry.event === event)?.data;
  const began = first('began');
  const connect = all.find(({ data }) => data['kind'] === 'user_connect')?.data;
  const isPlaced = all.some(({ event, data }) => event === 'dial' && data['opaque'] !== undefined);
  const isOfPbx = isPlaced || first('invited') !== undefined;
  return {
    call,
    direction: directionOf(began, connect !== undefined || !isOfPbx),
    number: began?.['number'],
    trunk: began?.['trunk'],
    startMs: stamp(began?.['startMs'] ?? connect?.['timestampMs']),
    isRecorded: first('recorded') !== undefined || all.every(({ event }) => ofLateDialog.has(event)),
    waCalls: openWaCalls(all),
    isIdUnknown: isPlaced && all.every(({ data }) => data['waCallId'] === undefined),
    dialogs: call === undefined ? [] : openDialogs(call, all),
  };
}

function directionOf(began: JournalData | undefined, isOfUser: boolean): CallDirection {
  const isUsers = began ? began['direction'] === 'user_initiated' : isOfUser;
  return isUsers ? 'user_initiated' : 'business_initiated';
}

/** Meta's calls that no terminate webhook has ended. */
function openWaCalls(entries: readonly JournalEntry[]): OpenWaCall[] {
  const found = new Map<string, OpenWaCall>();
  const over = new Set<string>();
  for (const { data } of entries) {
    const { waCallId, numberId, kind } = data;
    if (waCallId === undefined || numberId === undefined) continue;
    found.set(waCallId, { numberId, waCallId: waCallId as WaCallId });
    if (kind === 'call_terminate') over.add(waCallId);
  }
  return [...found.values()].filter(({ waCallId }) => !over.has(waCallId));
}

function openDialogs(call: CallId, entries: readonly JournalEntry[]): OrphanDialog[] {
  const found = new Map<string, OrphanDialog>();
  const inOrder = (event: string): JournalEntry[] => entries.filter((entry) => entry.event === event);
  for (const { event, data } of [...inOrder('invited'), ...inOrder('dial'), ...inOrder('dialog')]) {
    const sipCallId = data['sipCallId'];
    if (sipCallId === undefined) continue;
    const known = found.get(sipCallId);
    found.set(sipCallId, { call, sipCallId, stands: event === 'dialog', data: { ...known?.data, ...data } });
  }
  return [...found.values()];
}

function stamp(text: string | undefined): number | undefined {
  const ms = Number(text);
  return text === undefined || text === '' || !Number.isFinite(ms) ? undefined : ms;
}
