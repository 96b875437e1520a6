import type { Logger } from '../lib/logger.js';
import type { Trunk } from '../routing/types.js';
import type { SrfDialog } from './drachtio-types.js';
import type { LegMedia } from './leg-media.js';
import { SipDialog, type SipDialogEvent } from './sip-dialog.js';
import type { SipLegContext } from './sip-leg-context.js';

export interface StandingDialogOptions {
  readonly dialog: SrfDialog;
  readonly media: LegMedia;
  readonly trunk: Trunk;
  /** Where the PBX's messages come from: nobody else is shown the trunk's password. */
  readonly peerAddress: string;
  readonly logger: Logger;
  readonly onEvent: (event: SipDialogEvent) => void;
}

/** The dialog of a leg, once it stands, whichever side called. */
export function standingDialog(context: SipLegContext, options: StandingDialogOptions): SipDialog {
  const { srf, clock, timeouts, logins } = context;
  const { dialog, media, trunk, peerAddress, logger, onEvent } = options;
  return new SipDialog({
    ...{ srf, dialog, media, clock, logger, onEvent },
    codecs: trunk.codecs,
    byeMs: timeouts.byeMs,
    ackMs: timeouts.ackMs,
    login: () => logins.loginInDialog(trunk, peerAddress),
  });
}
