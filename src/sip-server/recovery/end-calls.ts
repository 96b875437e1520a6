import { withDeadline } from '../../lib/deadline.js';
import type { Core } from '../core/core.js';
import { replyFlow } from '../core/reply-flow.js';
import type { UserAgentClient } from '../core/uac.js';
import type { UserAgentServer } from '../core/uas.js';
import { Dialog } from '../dialog/dialog.js';
import type { SipRequest, SipResponse } from '../sip/message.js';
import { first, header, NO_BODY } from '../sip/message.js';
import { serialise } from '../sip/serialise.js';
import { parseSipUri } from '../sip/uri.js';
import { serverKeys } from '../transaction/transaction-table.js';
import type { Flow } from '../transport/flow.js';
import { NO_APP } from '../wire/app-session.js';
import type { Hop, OpenCall } from './call-record.js';

/** The parts of the engine that end calls. */
export interface CallEnders {
  readonly core: Core;
  readonly uas: UserAgentServer;
  readonly uac: UserAgentClient;
}

/** How ending them goes; each call is in one of the first three. */
export interface EndingCounts {
  /** INVITEs of peers that got a refusal. */
  readonly refused: number;
  /** INVITEs of ours that got a CANCEL. */
  readonly cancelled: number;
  /** Dialogs that got a BYE. */
  readonly hungUp: number;
  /** Those of them whose peer has not confirmed it. */
  readonly unsettled: number;
}

export interface Endings {
  /**
   * Resolves when every peer has confirmed the end of its call, or its transaction has given up, and after 4 s anyway: the
   * rest ends beside new calls. Never rejects.
   */
  readonly settled: Promise<void>;
  readonly counts: () => EndingCounts;
  /** Was a call with this Call-ID on record? */
  readonly covers: (callId: string) => boolean;
}

/** The calls of a process before this one get this long to end before new ones are to be taken. */
const SETTLE_MS = 4_000;

/** The process before this one may have sent requests that are not on record: a gap in CSeq is allowed (RFC 3261 §12.2.2). */
const SEQ_GAP = 1_000_000;
/** An INVITE without final response this long after its CANCEL may have been answered: what tag is known gets a BYE (§15). */
const EARLY_BYE_MS = 500;
/** How long a refusal is repeated to a peer that may have had our 2xx, and then never acknowledges it. */
const DOUBTFUL_REFUSAL_MS = 2_000;
const RETRY_AFTER_S = 5;
const REASON = 'restarted';

/**
 * Ends the calls that were open when the process before this one died, as if their application had gone now: what it
 * knew of them is built up again and ended by the same code and the same transactions. An INVITE that arrived gets 503,
 * one of ours CANCEL, a dialog BYE.
 */
export function endCalls(parts: CallEnders, left: readonly OpenCall[]): Endings {
  const open = new Set(left.map((call) => call.id));
  const tally = { refused: 0, cancelled: 0, hungUp: 0 };
  const { clock, logger, record } = parts.core;
  const allEnded = new Promise<void>((resolve) => {
    const onEnded = (id: string): void => {
      open.delete(id);
      if (open.size === 0) resolve();
    };
    record.onEnded(onEnded);
    if (left.length === 0) resolve();
  });
  for (const call of left) {
    const isPending = call.stage === 'pending';
    if (!isPending) tally.hungUp++;
    else if (call.direction === 'arrived') tally.refused++;
    else tally.cancelled++;
    const ending = call.direction === 'arrived' ? endArrived(parts, call) : endDialled(parts, call);
    ending.catch((err: unknown) => {
      logger.warn('call left by a crash could not be ended', { err });
      record.ended(call.id);
    });
  }
  const counts = (): EndingCounts => ({ ...tally, unsettled: open.size });
  const settled = withDeadline(allEnded, SETTLE_MS, 'end of the calls left open', clock)
    .catch(() => undefined)
    .then(() => {
      if (left.length > 0) logger.info('calls left open by a crash ended', { ...counts() });
    });
  const callIds = new Set(left.map((call) => first(call, 'call-id')));
  return { settled, counts, covers: (callId) => callIds.has(callId) };
}

/** A call of the peer. If our 2xx may not have reached it, it gets a refusal too: with a 2xx in hand it drops that one. */
async function endArrived({ core, uas, uac }: CallEnders, call: OpenCall): Promise<void> {
  const request = inviteOf(call);
  const back = core.transports.backTo(call.hop);
  if (call.stage !== 'acknowledged') {
    const flow = replyFlow(core, request, back);
    const shown = await core.transports.shownAddress(back);
    const record = uas.resume({ request, flow, keys: serverKeys(request, 'INVITE'), shown }, call.id, call.localTag);
    uas.preempt(record, 503, [header('Retry-After', String(RETRY_AFTER_S))]);
    if (call.stage === 'answered') core.clock.after(DOUBTFUL_REFUSAL_MS, () => record.transaction.terminate());
  }
  if (call.stage === 'pending') return;
  const dialog = Dialog.answering(request, call.localTag ?? '', NO_APP, call.id, back);
  dialog.state = 'confirmed';
  dialog.localSeq += SEQ_GAP;
  uac.endDialog(dialog, REASON);
}

/** A call of ours. What was heard for it is heard again: a 2xx makes the dialog, which is then acknowledged and ended. */
async function endDialled({ core, uac }: CallEnders, call: OpenCall): Promise<void> {
  const request = inviteOf(call);
  // A certificate proves a name, not the address that was connected to.
  const hop = { ...call.hop, name: parseSipUri(call.uri)?.host };
  const flow = await core.transports.connect(hop);
  if (!flow) throw new Error(`no ${call.hop.protocol} listener`);
  const { heard } = call;
  const received = heard && { message: responseOf(heard), flow: heardOn(core, heard.hop, flow), byteLength: 0 };
  const start = { txn: call.id, client: NO_APP, request, bytes: serialise(request), flow, dialog: undefined };
  const record = uac.resume(start, received);
  const { dialog } = record;
  if (dialog) dialog.localSeq += SEQ_GAP;
  if (call.stage !== 'pending') return;
  uac.cancel(record, [header('Reason', `SIP ;cause=503 ;text="${REASON}"`)]);
  core.clock.after(EARLY_BYE_MS, () => {
    if (dialog?.remoteTag === undefined || !core.clientRequests.has(call.id)) return;
    uac.acks.expect(request, dialog, undefined);
    uac.endDialog(dialog, REASON);
  });
}

/** The INVITE, as far as it is on record. */
const inviteOf = ({ uri, headers }: OpenCall): SipRequest => ({
  kind: 'request',
  method: 'INVITE',
  uri,
  version: '2.0',
  headers,
  body: NO_BODY,
});

const responseOf = ({ status, headers }: NonNullable<OpenCall['heard']>): SipResponse => ({
  kind: 'response',
  status,
  reason: '',
  version: '2.0',
  headers,
  body: NO_BODY,
});

/** Answers come on the connection of the request; datagrams may come from another address than they were sent to. */
const heardOn = (core: Core, hop: Hop, flow: Flow): Flow =>
  hop.protocol === 'udp' ? core.transports.backTo(hop) : flow;
