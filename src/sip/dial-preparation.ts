import { endReason, type EndReason } from '../call/end-reason.js';
import type { CallId } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import type { MediaEndpointEvent } from '../media/media-engine.js';
import type { Target } from '../routing/types.js';
import type { LegJournal } from './leg-journal.js';
import { reasonOfMediaError, type LegMedia } from './leg-media.js';
import { answererAddresses, isDirect, nextHopsOf, type NextHop } from './next-hop.js';
import { mediaNetworks, type SipLegContext } from './sip-leg-context.js';
import { srtpOf } from './srtp-policy.js';

/** What an INVITE of ours needs before it can leave. */
export interface DialPreparationOptions {
  readonly context: SipLegContext;
  readonly call: CallId;
  readonly target: Target;
  readonly media: LegMedia;
  readonly journal: LegJournal;
  readonly logger: Logger;
  /** How the call is known on the wire. */
  readonly wire: { readonly sipCallId: string; readonly localTag: string; readonly uri: string };
  readonly onMedia: (event: MediaEndpointEvent) => void;
}

/** What came of it. */
export type DialPreparation =
  | { readonly type: 'prepared'; readonly offer: string; readonly nextHop: NextHop }
  /** Before anything left; `retry` says whether another server may do better. */
  | { readonly type: 'refused'; readonly reason: EndReason; readonly retry: boolean };

/** Finds the way to the server, opens media for it, makes the offer and notes the call in the journal. Never rejects. */
export async function prepareDial(options: DialPreparationOptions): Promise<DialPreparation> {
  const { media, logger } = options;
  try {
    const nextHop = await findNextHop(options);
    if ('type' in nextHop) return nextHop;
    await openMedia(options, nextHop);
    const offer = await media.offer();
    return (await notJournalled(options)) ?? { type: 'prepared', offer, nextHop };
  } catch (err) {
    logger.warn('call to the PBX not prepared', { err });
    return { type: 'refused', reason: reasonOfMediaError(err), retry: false };
  }
}

/** Where srf is to be told to send it; undefined where its Request-URI says so. */
export const namedHop = (target: Target, { uri }: NextHop): string | undefined => (isDirect(target) ? undefined : uri);

/** A name that cannot be looked up is a server that is down; the next one may be fine. */
async function findNextHop({ context, target, logger }: DialPreparationOptions): Promise<NextHop | DialPreparation> {
  try {
    return (await nextHopsOf(context.addresses, target))[0];
  } catch (err) {
    logger.warn('server name not resolved', { trunk: target.trunk.name, hostname: target.server.hostname, err });
    const reason = endReason('trunk_down', { text: 'server name not resolved' });
    return { type: 'refused', reason, retry: true };
  }
}

async function openMedia(
  { context, call, target, media, onMedia }: DialPreparationOptions,
  nextHop: NextHop,
): Promise<void> {
  const { trunk } = target;
  const localAddress = await context.localAddressFor(nextHop.address);
  const remoteNetworks = mediaNetworks(context, trunk, answererAddresses(context.addresses, target));
  const address = localAddress === undefined ? {} : { localAddress };
  const symmetricRtp = trunk.symmetricRtp ?? false;
  const srtp = srtpOf(trunk, nextHop.transport);
  await media.open(
    { call, codecs: trunk.codecs, dtmf: trunk.dtmf, remoteNetworks, symmetricRtp, ...srtp, ...address },
    onMedia,
  );
}

/** Journal before effect: with the Call-ID and tag on record a restart can end what this INVITE started. */
async function notJournalled({
  journal,
  wire: { sipCallId, localTag, uri },
  target,
  logger,
}: DialPreparationOptions): Promise<DialPreparation | undefined> {
  try {
    await journal.dialling(sipCallId, { localTag, uri, trunk: target.trunk.name });
    return undefined;
  } catch (err) {
    logger.error('journal entry not stored', { event: 'dial', err });
    return { type: 'refused', reason: endReason('internal', { text: 'journal not written' }), retry: false };
  }
}
