import { pick, type BridgeScene } from '../../support/bridge/bridge-scene.js';
import type { MetaCall, ReplyKind, WebhookKind } from '../../support/bridge/fake-meta.js';
import type { FakeDialog, IncomingInvite, OutgoingInvite } from '../../support/bridge/fake-srf.js';

/*
 * What can happen to the bridge from outside. A move that cannot be made now (no open request, no dialog) does nothing, so
 * that a sequence stays one whatever is left out of it. `nth` says which of several, and which variant.
 */

type Move = (scene: BridgeScene, nth: number) => void | Promise<void>;

const replies = (kind: ReplyKind): Move => {
  return ({ meta }, nth) => {
    const request = pick(meta.open, nth);
    if (request) meta.reply(request, kind);
  };
};

function deliver(scene: BridgeScene, call: MetaCall, kind: WebhookKind, wantsKey: boolean, ageMs = 0): void {
  const { meta, wire } = scene;
  const isKeyed = meta.isKeyed(call, kind, wantsKey);
  const noted = (): void => void wire.note('webhook', kind, call.id, { isKeyed, isFresh: ageMs === 0 });
  if (!scene.deliver(meta.webhook(call, kind, isKeyed, ageMs), noted)) wire.note('webhook', `503 for ${kind}`, call.id);
}

const userConnect =
  (ageMs: number): Move =>
  (scene, nth) =>
    deliver(scene, scene.meta.userCall(nth % 2), 'connect', false, ageMs);

/** Of a business-initiated call that Meta has not refused; with our key in it for even `nth`. */
const businessWebhook =
  (kind: WebhookKind): Move =>
  (scene, nth) => {
    const calls = scene.meta.calls.filter(
      ({ direction, taken }) => direction === 'BUSINESS_INITIATED' && taken !== false,
    );
    const call = pick(calls, nth >> 1);
    if (call) deliver(scene, call, kind, nth % 2 === 0);
  };

/** Of any call; a user's call may end before its connect comes. */
const terminate =
  (kind: WebhookKind): Move =>
  (scene, nth) => {
    const calls = scene.meta.calls.filter(({ taken }) => taken !== false);
    const call = pick(calls, nth >> 1) ?? scene.meta.userCall(0);
    deliver(scene, call, kind, nth % 2 === 0);
  };

const onInvite =
  (work: (invite: OutgoingInvite, nth: number) => void): Move =>
  ({ srf }, nth) => {
    const open = srf.isUp ? srf.outgoing.filter(({ isOpen, isBegun }) => isOpen && isBegun) : [];
    const invite = pick(open, nth);
    if (invite) work(invite, nth);
  };

const onArriving =
  (isIt: (invite: IncomingInvite) => boolean, work: (invite: IncomingInvite, nth: number) => void): Move =>
  ({ srf }, nth) => {
    const invite = pick(srf.isUp ? srf.incoming.filter(isIt) : [], nth);
    if (invite) work(invite, nth);
  };

const onDialog =
  (isIt: (dialog: FakeDialog) => boolean, work: (dialog: FakeDialog, nth: number) => void): Move =>
  ({ srf }, nth) => {
    const dialog = pick(srf.isUp ? srf.dialogs.filter((one) => !one.lost && isIt(one)) : [], nth);
    if (dialog) work(dialog, nth);
  };

const waitsForAck = ({ dialog }: IncomingInvite): boolean => dialog !== undefined && !dialog.acked && dialog.isUp;

const times = [100, 500, 2_000, 5_000, 12_000, 36_000, 60_000, 120_000] as const;
const offers = ['offer', 'offer', 'offer', '', 'unusable'] as const;
const answers = ['answer', 'answer', '', 'unusable'] as const;

const metaMoves = {
  'user calls': userConnect(0),
  'user calls, an hour ago': userConnect(3600_000),
  'business connect': businessWebhook('connect'),
  RINGING: businessWebhook('RINGING'),
  ACCEPTED: businessWebhook('ACCEPTED'),
  REJECTED: businessWebhook('REJECTED'),
  'terminate COMPLETED': terminate('COMPLETED'),
  'terminate FAILED': terminate('FAILED'),
  'terminate, bare': terminate('bare terminate'),
  'graph ok': replies('ok'),
  'graph refuses': replies('refused'),
  'graph: over already': replies('over'),
  'graph: limit': replies('limit'),
  'graph 5xx': replies('5xx'),
  'graph reset': replies('reset'),
  'graph unsent': replies('unsent'),
  'graph unusable': replies('unusable'),
} satisfies Record<string, Move>;

const sipMoves = {
  'PBX calls': (scene, nth) => {
    if (scene.srf.isUp) scene.invite(offers[nth % offers.length]!);
  },
  'PBX cancels': onArriving(
    ({ state }) => state === 'open',
    (invite) => invite.cancel(),
  ),
  ACK: onArriving(waitsForAck, (invite, nth) => invite.dialog?.ack(answers[nth % answers.length]!)),
  'no ACK': onArriving(waitsForAck, (invite) => invite.dialog?.hangUp('server')),
  BYE: onDialog(
    ({ byes, acked }) => acked && !byes.has('theirs') && !byes.has('server'),
    (dialog) => dialog.hangUp('theirs'),
  ),
  'BYE 200': onDialog(
    ({ isByeOpen }) => isByeOpen,
    (dialog) => dialog.answerBye(200),
  ),
  'BYE 481': onDialog(
    ({ isByeOpen }) => isByeOpen,
    (dialog) => dialog.answerBye(481),
  ),
  're-INVITE': onDialog(
    ({ isUp, acked }) => isUp && acked,
    (dialog, nth) => dialog.ask('INVITE', offers[nth % offers.length]!),
  ),
  UPDATE: onDialog(
    ({ isUp, acked }) => isUp && acked,
    (dialog) => dialog.ask('UPDATE', 'offer'),
  ),
  INFO: onDialog(
    ({ isUp, acked }) => isUp && acked,
    (dialog) => dialog.ask('INFO', 'Signal=5\r\nDuration=160'),
  ),
  'sip 100': onInvite((invite) => invite.provisional(100, '')),
  'sip 180': onInvite((invite) => invite.provisional(180, '')),
  'sip 183': onInvite((invite, nth) => invite.provisional(183, nth % 2 === 0 ? 'answer' : '')),
  'sip 200': onInvite((invite, nth) => invite.answer(answers[nth % answers.length]!)),
  'sip 486': onInvite((invite) => invite.refuse(486, false)),
  'sip 487': onInvite((invite) => invite.refuse(487, false)),
  'sip 503': onInvite((invite) => invite.refuse(503, false)),
  'sip 302': onInvite((invite) => invite.refuse(302, false)),
  'sip nobody there': onInvite((invite) => invite.refuse(408, true)),
  'OPTIONS 200': ({ srf }) => {
    if (srf.isUp) srf.answerProbes();
  },
  'SIP server waits': ({ srf }) => {
    srf.held = true;
  },
  'SIP server goes on': ({ srf }) => {
    srf.held = false;
  },
  'link lost': (scene) => {
    if (scene.srf.isUp) scene.loseLink();
  },
  'link back': ({ srf }) => {
    srf.isUp = true;
  },
} satisfies Record<string, Move>;

const insideMoves = {
  'media held': ({ media }) => {
    media.mood = 'held';
  },
  'media failing': ({ media }) => {
    media.mood = 'failing';
  },
  'media prompt': ({ media }) => {
    media.mood = 'prompt';
    media.release();
  },
  'endpoint fails': ({ media }, nth) => pick(media.endpoints, nth)?.fail(),
  'media idle': ({ media }, nth) => pick(media.bridges, nth)?.timeOut(nth % 2 === 0 ? 'first' : 'idle'),
  'journal fails': ({ journal }) => {
    journal.mood = 'failing';
  },
  'journal waits': ({ journal }) => {
    journal.mood = 'held';
  },
  'journal writes': ({ journal }) => journal.release(),
  'gate refuses': ({ gate }) => {
    gate.mood = 'refuses';
  },
  'gate takes its time': ({ gate }) => {
    gate.mood = 'takes its time';
  },
  'operator hangs up': (scene, nth) => scene.hangUpByOperator(nth),
  'shut down': (scene) => scene.close(),
  time: (scene, nth) => scene.run(times[nth % times.length]!),
} satisfies Record<string, Move>;

const moves = { ...metaMoves, ...sipMoves, ...insideMoves };

export type MoveName = keyof typeof moves;
export const moveNames = Object.keys(moves) as MoveName[];

/** A move, which variant of it, and whether what is ready to happen happens before the next one. */
export type Step = readonly [name: MoveName, nth: number, settles: boolean];

export async function make(scene: BridgeScene, [name, nth, settles]: Step): Promise<void> {
  await moves[name](scene, nth);
  if (settles) await scene.settle();
}

/** How the outside behaves when the sequence is over: it answers nothing any more, or everything. */
export type Ending = 'silence' | 'answers';

/** Ten minutes go by. */
export async function runOut(scene: BridgeScene, ending: Ending): Promise<void> {
  scene.srf.held = false;
  if (ending === 'silence') return scene.run(600_000);
  scene.journal.release();
  scene.media.mood = 'prompt';
  for (let round = 0; round < 30; round++) {
    await answerAll(scene);
    await scene.run(round < 10 ? 1_000 : 29_500);
  }
}

async function answerAll(scene: BridgeScene): Promise<void> {
  const { srf, meta, media } = scene;
  media.release();
  for (const request of meta.open) meta.reply(request, 'ok');
  await scene.settle();
  if (!srf.isUp) return;
  srf.answerProbes();
  for (const invite of srf.outgoing)
    if (invite.isOpen && invite.isBegun) invite.refuse(invite.cancelAsked ? 487 : 480, false);
  for (const { dialog } of srf.incoming.filter(waitsForAck)) dialog?.ack('answer');
  for (const dialog of srf.dialogs) if (dialog.isByeOpen) dialog.answerBye(200);
}

/** What was held in the media engine and at the disk comes very late. */
export async function releaseAll(scene: BridgeScene): Promise<void> {
  scene.journal.release();
  scene.media.mood = 'prompt';
  scene.media.release();
  await scene.settle();
}
