import { keepUnacknowledged, type SrfApi, type SrfRequest, type SrfResponse } from './drachtio-types.js';
import { requestInDialog, type InDialogOptions } from './in-dialog-request.js';

interface PrackOptions extends Pick<InDialogOptions, 'login' | 'logger'> {
  readonly srf: SrfApi;
  /** An UPDATE of the far end's in the early dialog, which srf hands to the request that was sent last. */
  readonly onUpdate: (request: SrfRequest, response: SrfResponse) => void;
}

/**
 * Acknowledges a reliable provisional response (RFC 3262 §4) in srf's place, which would not hear that its PRACK is
 * challenged. To be called before srf goes on with the response. Never throws.
 */
export function acknowledgeProvisional(options: PrackOptions, response: SrfResponse): void {
  const { req: invite, stackDialogId } = response;
  const rseq = response.get('RSeq');
  const cseq = invite?.get('CSeq');
  if (invite === undefined || rseq === undefined || cseq === undefined || stackDialogId === undefined) return;
  keepUnacknowledged(response);
  // What is no number (RFC 3262 §7.1) gets into no header of ours.
  if (!/^\d{1,10}$/.test(rseq)) return;
  const dialog = earlyDialog(options, invite.uri, stackDialogId);
  const prack = { method: 'PRACK', headers: { RAck: `${rseq} ${cseq}` } } as const;
  requestInDialog({ ...options, dialog }, prack, (status) => {
    if (status !== undefined && status >= 300) options.logger.warn('PRACK refused', { status });
  });
}

/** Requests in a dialog that srf has made no object of yet. */
function earlyDialog({ srf, onUpdate }: PrackOptions, uri: string, stackDialogId: string): InDialogOptions['dialog'] {
  return {
    ...{ id: stackDialogId, uri },
    request: (options, callback) =>
      srf.request(uri, { ...options, stackDialogId }, (err, request) => {
        if (!request) return callback(err ?? new Error('not sent'), undefined);
        request.on('update', onUpdate);
        request.on('response', (response) => {
          if (response.status >= 200) callback(undefined, response);
        });
      }),
  };
}
