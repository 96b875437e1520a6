import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import type { Clock } from '../../lib/clock.js';
import { withDeadline } from '../../lib/deadline.js';
import { given } from '../../lib/given.js';
import { proves } from '../../sip-server/transport/tls-identity.js';

export interface CertificateQuestion {
  readonly address: string;
  readonly port: number;
  /** What SNI says and the certificate must prove. */
  readonly serverName: string;
  /** PEM file of the authorities it may be of; undefined: the public ones. */
  readonly caFile: string | undefined;
  readonly alpn: readonly string[];
  /** What we show if we are asked, PEM. */
  readonly own: OwnPair | undefined;
}

export interface OwnPair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

export interface CertificateFacts {
  /** Why the chain does not lead to an authority, by OpenSSL's code; undefined when it does. */
  readonly chainFault: string | undefined;
  /** Why it does not prove the name; undefined when it does. */
  readonly nameFault: string | undefined;
  readonly notAfterMs: number;
  readonly protocol: string;
}

/**
 * Shakes hands by TLS and looks at the certificate; nothing else is sent.
 * @throws DeadlineError, or the error of the connection with the system's code
 */
export async function askCertificate(
  question: CertificateQuestion,
  deadlineMs: number,
  clock: Clock,
): Promise<CertificateFacts> {
  const { address, port, serverName, caFile, alpn, own } = question;
  const socket = connect({
    ...{ host: address, port, servername: isIP(serverName) === 0 ? serverName : '', rejectUnauthorized: false },
    ...given('ca', caFile === undefined ? undefined : readFileSync(caFile)),
    ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
    ...own,
    // Judged below, by the rules of SIP: what OpenSSL says is of the chain alone then.
    checkServerIdentity: () => undefined,
  });
  const facts = new Promise<CertificateFacts>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the connection was closed in the handshake')));
    socket.on('secureConnect', () => resolve(factsOf(socket, serverName)));
  });
  try {
    return await withDeadline(facts, deadlineMs, 'TLS handshake', clock);
  } finally {
    socket.on('error', () => undefined).destroy();
  }
}

function factsOf(socket: TLSSocket, serverName: string): CertificateFacts {
  const certificate = socket.getPeerCertificate();
  const fault = socket.authorizationError as NodeJS.ErrnoException | string | undefined;
  return {
    chainFault: socket.authorized ? undefined : String(typeof fault === 'object' ? fault.code : fault),
    nameFault: proves(serverName.toLowerCase(), certificate)?.message,
    notAfterMs: Date.parse(certificate.valid_to),
    protocol: socket.getProtocol() ?? '',
  };
}
