import { RTCDtlsTransport, type RTCCertificate } from 'werift';
import { MediaError } from './media-error.js';

/** What our DTLS side shows: the certificate and its SHA-256, upper-case hex pairs with colons. */
export interface Certificate {
  readonly certificate: RTCCertificate;
  readonly fingerprint: string;
}

let shared: Promise<Certificate> | undefined;

/** The one ECDSA P-256 certificate of this process, made at the first call: Meta takes ECDSA only, with a SHA-256 fingerprint. */
export function processCertificate(): Promise<Certificate> {
  shared ??= makeCertificate();
  return shared;
}

async function makeCertificate(): Promise<Certificate> {
  const certificate = await RTCDtlsTransport.SetupCertificate();
  const [print, ...others] = certificate.getFingerprints();
  if (!print || others.length > 0 || print.algorithm !== 'sha-256') {
    throw new MediaError('internal', 'the WebRTC stack made no single SHA-256 fingerprint');
  }
  return { certificate, fingerprint: print.value.toUpperCase() };
}
