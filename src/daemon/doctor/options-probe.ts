import { createSocket } from 'node:dgram';
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import type { Clock } from '../../lib/clock.js';
import { withDeadline } from '../../lib/deadline.js';
import type { Place } from '../../lib/sip-location.js';
import { uriHost } from '../../sip/sip-uri.js';

export interface OptionsTerms {
  /** Host of the Request-URI. */
  readonly hostname: string;
  /** What SNI says. */
  readonly serverName: string;
  readonly callId: string;
  readonly deadlineMs: number;
  readonly clock: Clock;
  /** How TLS is spoken; the certificate is not judged here. */
  readonly tls?: Pick<ConnectionOptions, 'ALPNProtocols' | 'cert' | 'key'>;
}

interface Asked {
  /** Status of the response. */
  readonly status: Promise<number>;
  readonly close: () => void;
}

/**
 * Asks a SIP server by one OPTIONS (RFC 3261 §11) over a socket of its own, repeated over UDP, for its status.
 * @throws DeadlineError, or the error of the socket with the system's code
 */
export async function askOptions(place: Place, terms: OptionsTerms): Promise<number> {
  const { status, close } = place.transport === 'udp' ? byDatagram(place, terms) : byStream(place, terms);
  status.catch(() => undefined);
  try {
    return await withDeadline(status, terms.deadlineMs, 'answer to OPTIONS', terms.clock);
  } finally {
    close();
  }
}

/** After which times it is sent again, in milliseconds (RFC 3261 §17.1.2.2: doubling from T1). */
const repeatsMs = [500, 1_500, 3_500];

function byDatagram(place: Place, terms: OptionsTerms): Asked {
  const socket = createSocket(place.address.includes(':') ? 'udp6' : 'udp4');
  const timers: { cancel(): void }[] = [];
  const status = new Promise<number>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('message', (bytes) => {
      const found = statusIn(bytes.toString('latin1'), terms.callId);
      if (found !== undefined) resolve(found);
    });
    socket.on('connect', () => {
      const text = optionsText(place, terms, socket.address());
      // Told of by `error` where a port is closed; the callback keeps a late failure from being thrown.
      const send = (): void => socket.send(text, (error) => error && reject(error));
      send();
      timers.push(...repeatsMs.map((delayMs) => terms.clock.after(delayMs, send)));
    });
    socket.connect(place.port, place.address);
  });
  const close = (): void => {
    for (const timer of timers) timer.cancel();
    socket.close();
  };
  return { status, close };
}

function byStream(place: Place, terms: OptionsTerms): Asked {
  const socket = open(place, terms);
  let heard = '';
  const status = new Promise<number>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the connection was closed')));
    socket.on('data', (bytes: Buffer) => {
      heard = (heard + bytes.toString('latin1')).slice(-longestResponse);
      const found = statusIn(heard, terms.callId);
      if (found !== undefined) resolve(found);
    });
    socket.on(place.transport === 'tls' ? 'secureConnect' : 'connect', () => {
      const { localAddress = place.address, localPort = 0 } = socket;
      socket.write(optionsText(place, terms, { address: localAddress, port: localPort }));
    });
  });
  return { status, close: () => socket.destroy() };
}

function open({ transport, address, port }: Place, { serverName, tls }: OptionsTerms): Socket {
  if (transport !== 'tls') return connect(port, address);
  // RFC 6066 §3: an address is no server name.
  const servername = isIP(serverName) === 0 ? serverName : '';
  return connectTls({ host: address, port, servername, rejectUnauthorized: false, ...tls });
}

const longestResponse = 16_384;

function statusIn(text: string, callId: string): number | undefined {
  if (!text.includes(callId)) return undefined;
  const status = /^SIP\/2\.0 (\d{3}) /.exec(text)?.[1];
  return status === undefined ? undefined : Number(status);
}

function optionsText(
  { transport, port }: Place,
  { hostname, callId }: OptionsTerms,
  from: { readonly address: string; readonly port: number },
): string {
  const local = uriHost(from.address);
  const uri = `sip:${uriHost(hostname)}:${port}${transport === 'udp' ? '' : `;transport=${transport}`}`;
  const lines = [
    `OPTIONS ${uri} SIP/2.0`,
    `Via: SIP/2.0/${transport.toUpperCase()} ${local}:${from.port};rport;branch=z9hG4bK${callId}`,
    'Max-Forwards: 70',
    `From: <sip:sip2wa-doctor@${local}>;tag=${callId}`,
    `To: <${uri}>`,
    `Call-ID: ${callId}`,
    'CSeq: 1 OPTIONS',
    `Contact: <sip:sip2wa-doctor@${local}:${from.port}${transport === 'udp' ? '' : `;transport=${transport}`}>`,
    'Accept: application/sdp',
    'Content-Length: 0',
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}
