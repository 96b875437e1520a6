import type { Journal, JournalEvent } from '../call/journal.js';
import type { CallObserver } from '../call/observer.js';
import type { Clock } from '../lib/clock.js';
import type { CallId, IdSource } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import type { MediaEngine } from '../media/media-engine.js';
import type { Trunk } from '../routing/types.js';
import type { DigestGuard } from './digest-guard.js';
import type { SrfApi, SrfDialog } from './drachtio-types.js';
import { dialogRecord } from './dialog-record.js';
import { hostNetwork } from './ip-network.js';
import type { LocalAddressFinder } from './local-address.js';
import type { ServerAddresses } from './server-addresses.js';
import type { SipDialog } from './sip-dialog.js';
import type { SipTimeouts } from './sip-timeouts.js';

/** What every SIP leg is made with. */
export interface SipLegContext {
  readonly srf: SrfApi;
  readonly engine: MediaEngine;
  readonly journal: Journal;
  readonly observer: CallObserver;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly timeouts: SipTimeouts;
  readonly addresses: ServerAddresses;
  readonly localAddressFor: LocalAddressFinder;
  readonly digest: DigestGuard;
  /** Where a trunk's media may be sent, CIDRs; undefined: its signalling addresses. */
  readonly mediaRemoteNetworksFor: ((trunk: Trunk) => readonly string[] | undefined) | undefined;
}

/** Networks media may be sent to: what is configured, else the signalling peer and who may call in from this trunk. */
export function mediaNetworks(context: SipLegContext, trunk: Trunk, peers: readonly string[]): readonly string[] {
  return context.mediaRemoteNetworksFor?.(trunk) ?? [...peers.map(hostNetwork), ...trunk.acceptFrom];
}

/** Notes a dialog that stands. A call whose record cannot be kept goes on: it would be worse to drop it. */
export function journalDialog(context: SipLegContext, logger: Logger, call: CallId, dialog: SrfDialog): void {
  append(context, logger, call, 'dialog', dialogRecord(dialog));
}

/** Notes that nothing of a dialog is left on the wire. */
export function journalDialogEnd(context: SipLegContext, logger: Logger, call: CallId, sipCallId: string): void {
  append(context, logger, call, 'dialog_ended', { sipCallId });
}

/**
 * Hangs a dialog up and notes how that went; a BYE without a usable answer stays on record for a later attempt. Resolves
 * when nothing is to be waited for any more, never rejects.
 */
export async function hangUpDialog(
  context: SipLegContext,
  logger: Logger,
  call: CallId,
  dialog: SipDialog,
  bye: { readonly reasonHeader: string; readonly pauseMs?: number },
): Promise<void> {
  context.observer.step(call, 'sip.bye', { direction: 'out' });
  const status = await dialog.bye(bye.reasonHeader, bye.pauseMs);
  // 481 and 408: the far end knows the dialog no more, or is gone (RFC 3261 §15.1.1).
  const isOver = status !== undefined && (status < 300 || status === 481 || status === 408);
  if (!isOver) logger.warn('BYE unconfirmed', { status });
  const data = { sipCallId: dialog.sipCallId, status: String(status ?? '') };
  append(context, logger, call, isOver ? 'dialog_ended' : 'bye_unconfirmed', data);
}

function append(
  context: SipLegContext,
  logger: Logger,
  call: CallId,
  event: JournalEvent,
  data: Readonly<Record<string, string>>,
): void {
  context.journal.append({ call, event, data }).catch((err: unknown) => {
    logger.error('journal entry not stored', { event, err });
  });
}
