import { attributesOf, firstOf, span, type CallSpan, type Moment } from './call-span.js';

/** The same detail with secrets taken out and telephone numbers cut. */
export type ShowDetail = (detail: Moment['detail']) => Readonly<Record<string, unknown>>;

/** What of a call's leg is being set up, until `endMs` at the latest. */
interface Bounds {
  readonly moments: readonly Moment[];
  /** When the call began to end, or ended. */
  readonly endMs: number;
  readonly shown: ShowDetail;
}

/** Requests to the Graph API, each with the time it took. */
export function graphSpans({ moments, shown }: Pick<Bounds, 'moments' | 'shown'>, callStartMs: number): CallSpan[] {
  return moments.flatMap(({ step, atMs, detail }) => {
    if (!step.startsWith('graph.')) return [];
    const { tookMs, ok, ...more } = detail;
    const startMs = Math.max(callStartMs, atMs - Number(tookMs ?? 0));
    const error = ok === false ? String(detail['code'] ?? 'failed') : undefined;
    const attributes = attributesOf({ action: step.slice('graph.'.length), ...shown(more) });
    return [span(step.replace('.', ' '), startMs, atMs, { kind: 'client', attributes, error })];
  });
}

/** What ends an INVITE. */
const INVITE_ENDS: ReadonlySet<Moment['step']> = new Set(['sip.refused', 'sip.redirect', 'sip.cancel', 'sip.ack']);

/**
 * Every INVITE of the call with its parts: dial (until it rings), ring (until the answer), answer (until the ACK). There are
 * several where targets failed or the call was transferred.
 */
export function inviteSpans(bounds: Bounds): CallSpan[] {
  const { moments } = bounds;
  return moments.flatMap((invite, at) => {
    if (invite.step !== 'sip.invite') return [];
    const next = moments.findIndex(({ step }, index) => index > at && step === 'sip.invite');
    return [inviteSpan(invite, moments.slice(at + 1, next === -1 ? undefined : next), bounds)];
  });
}

function inviteSpan(invite: Moment, after: readonly Moment[], { endMs, shown }: Bounds): CallSpan {
  const closing = after.findIndex(({ step }) => INVITE_ENDS.has(step));
  const last = after[closing];
  const own = last ? after.slice(0, closing + 1) : after;
  const overMs = last?.atMs ?? Math.max(invite.atMs, endMs);
  const refused = last?.step === 'sip.refused' ? last : undefined;
  const status = (refused ?? firstOf(own, ['sip.answer']))?.detail['status'];
  const { direction, ...more } = invite.detail;
  return span('sip invite', invite.atMs, overMs, {
    kind: direction === 'out' ? 'client' : 'server',
    attributes: attributesOf({ direction, ...shown(more), sipStatus: status }),
    error: refused && refusal(status),
    children: partsOfInvite(invite, own, overMs),
  });
}

function partsOfInvite(invite: Moment, own: readonly Moment[], overMs: number): CallSpan[] {
  const ringMs = firstOf(own, ['sip.ringing', 'sip.progress'])?.atMs;
  const answerMs = firstOf(own, ['sip.answer'])?.atMs;
  return [
    span('dial', invite.atMs, ringMs ?? answerMs ?? overMs),
    ...(ringMs === undefined ? [] : [span('ring', ringMs, answerMs ?? overMs)]),
    ...(answerMs === undefined ? [] : [span('answer', answerMs, overMs)]),
  ];
}

/** A server that said nothing has no status. */
const refusal = (status: unknown): string => (Number(status ?? 0) === 0 ? 'no_response' : String(status));

/** The call that we place at Meta: the request, then ringing until the user decides. Nothing where the user called us. */
export function userDialSpans({ moments, endMs, shown }: Bounds, callStartMs: number): CallSpan[] {
  const [connect] = graphSpans({ moments: moments.filter(({ step }) => step === 'graph.connect'), shown }, callStartMs);
  if (!connect) return [];
  const decided = firstOf(moments, ['webhook.accepted', 'webhook.rejected', 'webhook.terminate']);
  const overMs = Math.min(decided?.atMs ?? endMs, Math.max(endMs, connect.endMs));
  const ringing = firstOf(moments, ['webhook.ringing']);
  const ring = ringing && ringing.atMs <= overMs ? [span('ring', ringing.atMs, overMs)] : [];
  const error = connect.error ?? (decided?.step === 'webhook.rejected' ? 'rejected' : undefined);
  const endsMs = Math.max(overMs, connect.endMs);
  return [span('whatsapp dial', connect.startMs, endsMs, { kind: 'client', error, children: [connect, ...ring] })];
}

/** ICE and DTLS with WhatsApp, from when both sides had the other's description. Nothing where it never came to that. */
export function mediaSetupSpans({ moments, endMs }: Pick<Bounds, 'moments' | 'endMs'>): CallSpan[] {
  const ice = firstOf(moments, ['ice.connected']);
  const dtls = firstOf(moments, ['dtls.connected']);
  const described =
    firstOf(moments, ['graph.pre_accept', 'graph.accept'], ({ ok }) => ok === true) ?? answerOfMeta(moments);
  const startMs = Math.min(...[described, ice, dtls].flatMap((moment) => moment?.atMs ?? []));
  if (!Number.isFinite(startMs)) return [];
  const failed = firstOf(moments, ['media.failed'], ({ from }) => from === 'whatsapp');
  const overMs = dtls?.atMs ?? failed?.atMs ?? Math.max(startMs, endMs);
  const iceMs = ice?.atMs ?? overMs;
  const children = [span('ice', startMs, iceMs), ...(ice ? [span('dtls', iceMs, overMs)] : [])];
  const attributes = attributesOf({ connected: dtls !== undefined });
  const error = dtls === undefined && failed ? String(failed.detail['code']) : undefined;
  return [span('media set-up', startMs, overMs, { attributes, error, children })];
}

/** Of a call that we placed, Meta's description comes with a webhook; of a user's call the same webhook brings the offer alone. */
function answerOfMeta(moments: readonly Moment[]): Moment | undefined {
  return firstOf(moments, ['graph.connect']) && firstOf(moments, ['webhook.connect']);
}
