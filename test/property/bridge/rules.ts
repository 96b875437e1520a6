import type { BridgeScene, TappedLeg } from '../../support/bridge/bridge-scene.js';
import type { MetaCall } from '../../support/bridge/fake-meta.js';
import type { FakeDialog, IncomingInvite, OutgoingInvite } from '../../support/bridge/fake-srf.js';
import type { Sight } from '../../support/bridge/wire.js';
import type { Ending } from './moves.js';

/*
 * What must hold of a call whatever happened, read off the wires: a reference of its own, which knows nothing of how the
 * bridge does it. Each rule returns what is wrong, in words.
 */

const count = (list: readonly string[], ...wanted: string[]): number =>
  list.filter((one) => wanted.includes(one)).length;
const unless = (holds: boolean, fault: string): string[] => (holds ? [] : [fault]);

/** Everything that is wrong. */
export function faults(scene: BridgeScene, ending: Ending): string[] {
  return [
    ...leftovers(scene),
    ...scene.offered.flatMap((call) => oneRecord(scene, call)),
    ...scene.legs.flatMap(legFaults),
    ...dials(scene),
    ...scene.srf.outgoing.flatMap((invite) => outgoing(invite, ending)),
    ...scene.srf.incoming.flatMap(incoming),
    ...scene.srf.dialogs.flatMap((dialog) => dialogFaults(scene, dialog)),
    ...scene.meta.calls.flatMap((call) => atMeta(scene, call)),
    ...placed(scene),
    ...scene.media.bridges.flatMap(({ log }) =>
      unless(log.length === 0 || log.at(-1) === 'disconnect', 'bridge left on'),
    ),
    ...scene.records.flatMap((record) => answeredFaults(scene, record.call)),
  ];
}

function leftovers(scene: BridgeScene): string[] {
  const { clock, directory, sipLegs, board, media, pending, closed } = scene;
  const expected = [
    'journal entry not stored',
    'call could not be ended at Meta',
    'call id could not be journalled',
    'new description not answered',
    'webhooks that no call claimed',
  ];
  // srf throws when the link is gone: the legs catch it.
  const isLinkGone = (err: unknown): boolean => err instanceof Error && err.message === 'not connected';
  const errors = scene.log.lines.filter(
    ({ message, fields }) => !expected.includes(message) && !isLinkGone(fields['err']),
  );
  return [
    ...unless(clock.armed === 0, `${clock.armed} timers armed`),
    ...unless(directory.size === 0, `directory has ${directory.size}`),
    ...unless(sipLegs.size === 0, `${sipLegs.size} SIP legs`),
    ...unless(board.calls.size === 0, `registry has ${board.calls.size}`),
    ...unless(pending === 0, `${pending} requests pending`),
    ...unless(closed !== 'closing', 'close does not end'),
    ...unless(scene.records.length === scene.offered.length, `${scene.records.length} records`),
    ...media.endpoints.flatMap(({ id, closed: times }) => unless(times > 0, `${id} left open`)),
    ...errors.map(({ message, fields }) => `error logged: ${message} ${String(fields['err'])}`),
  ];
}

function oneRecord(scene: BridgeScene, call: string): string[] {
  const said = scene.wire.of('call', call).map(({ what }) => what);
  return [
    ...unless(count(said, 'record') === 1, `${count(said, 'record')} records of ${call}`),
    ...unless(count(said, 'ended') === 1, `${call} ended ${count(said, 'ended')} times`),
    ...unless(count(said, 'ending') <= 1, `${call} was ending ${count(said, 'ending')} times`),
  ];
}

function legFaults({ role, call, events }: TappedLeg): string[] {
  const who = `${role} leg of ${call}: ${events.join(' ')}`;
  return [
    ...unless(count(events, 'terminated') === 1 && events.at(-1) === 'terminated', `${who}: no one end`),
    ...unless(count(events, 'failed', 'cancelled', 'ended') <= 1, `${who}: ends more than once`),
    ...unless(count(events, 'answered') <= 1 && count(events, 'confirmed') <= 1, `${who}: answers more than once`),
  ];
}

/** At most one INVITE per target, and none once the call is ending. */
function dials({ wire }: BridgeScene): string[] {
  const asked = wire.sights.filter(({ what }) => what === 'asks INVITE');
  return asked.flatMap(({ at, also }) => {
    const twins = asked.filter((other) => other.also['call'] === also['call'] && other.also['uri'] === also['uri']);
    const end = wire.of('call', String(also['call'])).find(({ what }) => what === 'ending' || what === 'ended');
    return [
      ...unless(twins.length === 1, `${twins.length} INVITEs to ${String(also['uri'])}`),
      ...unless(end === undefined || end.at > at, 'INVITE after the end'),
    ];
  });
}

function outgoing(invite: OutgoingInvite, ending: Ending): string[] {
  if (invite.state === 'lost' || invite.state === 'final') return [];
  if (ending === 'answers') return invite.isBegun ? [`${invite.of} without a final response`] : [];
  return unless(invite.cancelAsked, `${invite.of} neither answered nor cancelled`);
}

function incoming(invite: IncomingInvite): string[] {
  return unless(invite.state !== 'open', `${invite.of} without a final response`);
}

function dialogFaults({ wire }: BridgeScene, dialog: FakeDialog): string[] {
  const said = wire.of('sip', dialog.of);
  const asked = said.filter(({ what }) => what === 'asks BYE');
  const heard = said.find(({ what }) => what === 'BYE<');
  // Without an ACK the SIP server ends the dialog itself (RFC 3261 §13.3.1.4).
  const isOver = dialog.lost || dialog.byes.size > 0 || !dialog.acked;
  return [
    ...unless(isOver, `${dialog.of} is still up`),
    ...unless(asked.length <= 1, `${asked.length} BYEs in ${dialog.of}`),
    ...unless(!heard || !asked[0] || asked[0].at < heard.at, `BYE after BYE in ${dialog.of}`),
    ...dialog.requests.flatMap(({ method, answers }) =>
      unless(dialog.lost || answers === 1, `${answers} answers to ${method} in ${dialog.of}`),
    ),
  ];
}

const isEnd = ({ what }: Sight): boolean => ['REJECTED', 'COMPLETED', 'FAILED', 'bare terminate'].includes(what);
const posts = new Set(['pre_accept', 'accept', 'reject', 'terminate']);

function atMeta(scene: BridgeScene, call: MetaCall): string[] {
  const posted = scene.wire.of('graph', call.id).filter(({ what }) => posts.has(what));
  const said = posted.map(({ what }) => what);
  const ended = posted.find(({ what }) => what === 'reject' || what === 'terminate');
  const answered = posted.findLast(({ what }) => what === 'pre_accept' || what === 'accept');
  const firstAnswer = posted.find(({ what }) => what === 'pre_accept' || what === 'accept');
  return [
    ...unless(!ended || !answered || answered.at < ended.at, `${call.id} answered after ${ended?.what ?? ''}`),
    ...unless(ended?.what !== 'reject' || !firstAnswer, `${call.id} rejected after an answer`),
    ...unless(count(said, 'reject') === 0 || count(said, 'terminate') === 0, `${call.id} rejected and terminated`),
    ...unless(count(said, 'reject', 'terminate') <= 8, `${call.id} ended ${said.join(' ')}`),
    ...unless(count(said, 'accept') <= 2 && count(said, 'pre_accept') <= 2, `${call.id} answered ${said.join(' ')}`),
    ...(call.direction === 'USER_INITIATED' ? userCall(scene, call, posted) : businessCall(scene, call, posted)),
  ];
}

function userCall({ wire }: BridgeScene, call: MetaCall, posted: readonly Sight[]): string[] {
  const heard = wire.of('webhook', call.id);
  const end = heard.find(isEnd);
  const offers = wire.sights.filter(({ what, also }) => what === 'offered' && also['of'] === call.id);
  const connect = heard.find(({ what, also }) => what === 'connect' && also['isFresh'] === true);
  const isTold = posted.some(({ what }) => what === 'reject' || what === 'terminate');
  const first = end && posted.find(({ at }) => at > end.at);
  // Ours counts from when the call was ending: the request follows a little later.
  const ending = offers.flatMap(({ of }) => wire.of('call', of).filter(({ what }) => what === 'ending'));
  const isOurEnd = end && ending.some(({ at }) => at < end.at);
  return [
    ...unless(offers.length <= 1, `${offers.length} calls of ${call.id}`),
    ...unless(offers.length === 0 || connect !== undefined, `${call.id} rings without a fresh connect`),
    ...unless(!end || offers.every(({ at }) => at < end.at), `${call.id} rings after its end`),
    ...unless(offers.length === 0 || end !== undefined || isTold, `${call.id}: nobody told Meta that it is over`),
    ...unless(first === undefined || isOurEnd === true, `${call.id}: ${first?.what ?? ''} after Meta's end`),
    ...unless(offers.length > 0 || posted.length === 0, `${call.id}: requests without a call`),
  ];
}

/** How long after a call a webhook with our key is certainly still acted on, in milliseconds. */
const remembersMs = 60_000;

function businessCall({ wire }: BridgeScene, call: MetaCall, posted: readonly Sight[]): string[] {
  const callSaid = wire.of('call', callOf(call));
  const over = callSaid.find(({ what }) => what === 'ending' || what === 'ended');
  const connect = wire.of('graph', call.id).find(({ what }) => what === 'connect');
  if (over && connect && connect.at > over.at) return [`${call.id}: connect after the end`];
  if (call.taken !== true) return unless(posted.length === 0, `${call.id}: requests about a call that was refused`);
  const graph = wire.of('graph', call.id);
  const heard = wire.of('webhook', call.id).filter(({ what }) => !what.startsWith('503'));
  const record = callSaid.find(({ what }) => what === 'record');
  const isReplied = graph.some(({ what }) => what === 'connect=ok');
  const keyed = heard.filter(({ also }) => also['isKeyed'] === true);
  const isKnown = isReplied || keyed.some(({ atMs }) => atMs < (record?.atMs ?? 0) + remembersMs);
  const isTold = posted.some(({ what }) => what === 'terminate') || heard.some(isEnd);
  return [
    ...unless(!isKnown || isTold, `${call.id}: nobody told Meta that it is over`),
    ...unless(isReplied || keyed.length > 0 || posted.length === 0, `${call.id}: posted without having heard its id`),
  ];
}

const callOf = ({ opaque }: MetaCall): string => /s2w:([0-9A-Z]{26})/.exec(opaque ?? '')?.[1] ?? '';

/** At most one connect a call: a second only when the first cannot have reached Meta. */
function placed({ meta, wire }: BridgeScene): string[] {
  const calls = meta.calls.filter(({ direction }) => direction === 'BUSINESS_INITIATED');
  const certainlyUnsent = (call: MetaCall): boolean =>
    wire.of('graph', call.id).some(({ what }) => what === 'connect=unsent');
  return [...new Set(calls.map(callOf))].flatMap((call) => {
    const reached = calls.filter((one) => callOf(one) === call && !certainlyUnsent(one));
    return unless(reached.length <= 1, `${reached.length} connects of ${call}`);
  });
}

/** A call counts as answered only if both far ends had picked up. */
function answeredFaults(scene: BridgeScene, call: string): string[] {
  const record = scene.records.find((one) => one.call === call);
  const said = scene.wire.of('call', call);
  const wasConnected = said.some(({ what }) => what === 'connected');
  const of = String(said.find(({ what }) => what === 'offered')?.also['of']);
  const isUp = record?.direction === 'user_initiated' ? isUserCallUp(scene, call, of) : isTrunkCallUp(scene, call, of);
  return [
    ...unless(wasConnected === (record?.answer !== undefined), `record of ${call} and its states differ`),
    ...unless(!wasConnected || isUp, `${call} counts as answered, but was not`),
    ...unless((record?.billsecMs ?? 0) <= (record?.durationMs ?? 0), `${call}: billed longer than it was`),
    ...unless(wasConnected || record?.billsecMs === 0, `${call}: billed without an answer`),
  ];
}

function isUserCallUp({ wire, srf }: BridgeScene, call: string, waCallId: string): boolean {
  const accepted = wire.of('graph', waCallId).some(({ what }) => what === 'accept=ok' || what === 'accept=over');
  return accepted && srf.outgoing.some((invite) => invite.call === call && invite.status === 200);
}

function isTrunkCallUp({ wire, srf, meta }: BridgeScene, call: string, of: string): boolean {
  const acked = srf.incoming.some((invite) => invite.of === of && invite.dialog?.acked === true);
  const placedCall = meta.calls.filter((one) => callOf(one) === call);
  return acked && placedCall.some(({ id }) => wire.of('webhook', id).some(({ what }) => what === 'ACCEPTED'));
}
