import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';

/** Why a certificate, a key or a list of authorities cannot be used. */
export class CertificateFault extends Error {
  constructor(
    /** Which of them is at fault. */
    readonly of: 'cert' | 'key' | 'ca',
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = 'CertificateFault';
  }
}

/**
 * Checks that a certificate (PEM, with its chain after it) and a private key (PEM, not encrypted) belong together; says
 * when the certificate ends.
 * @throws CertificateFault
 */
export function checkKeyPair(certPem: string, keyPem: string): { readonly notAfter: Date } {
  const certificate = readCertificate(certPem, 'cert');
  const key = attempt('key', 'holds no private key in PEM, or an encrypted one', () => createPrivateKey(keyPem));
  if (!certificate.checkPrivateKey(key)) throw new CertificateFault('key', 'is not the key of the certificate');
  // OpenSSL has opinions of its own: keys that are too short, broken certificates further down the chain.
  attempt('cert', 'is refused by OpenSSL', () => createSecureContext({ cert: certPem, key: keyPem }));
  return { notAfter: new Date(certificate.validTo) };
}

/** Checks a file of authorities. @throws CertificateFault */
export function checkAuthorities(caPem: string): void {
  readCertificate(caPem, 'ca');
}

function readCertificate(pem: string, of: 'cert' | 'ca'): X509Certificate {
  return attempt(of, 'holds no certificate in PEM', () => new X509Certificate(pem));
}

function attempt<T>(of: CertificateFault['of'], message: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new CertificateFault(of, message, { cause });
  }
}
