import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import type { Clock } from '../../lib/clock.js';
import { withDeadline } from '../../lib/deadline.js';
import { uriHost } from '../sip-uri.js';

/** Where the SIP server listens. */
export interface SipSocket {
  readonly transport: 'udp' | 'tcp';
  readonly host: string;
  readonly port: number;
}

/** Sends one OPTIONS with this Call-ID over a socket of its own; resolves once any response to it came. */
export type OptionsPing = (to: SipSocket, callId: string) => Promise<void>;

const userName = 'sip2wa-liveness';

/**
 * OPTIONS (RFC 3261 §11) past the connection whose other end is to be watched: drachtio-srf cannot be asked, as a SIP server
 * sends no requests to itself.
 * @throws DeadlineError, or the error of the socket, when no response came
 */
export const optionsPing =
  (clock: Clock, deadlineMs: number): OptionsPing =>
  async (to, callId) => {
    const { response, close } = to.transport === 'udp' ? byDatagram(to, callId) : byStream(to, callId);
    response.catch(() => undefined);
    try {
      await withDeadline(response, deadlineMs, 'response of the SIP server', clock);
    } finally {
      close();
    }
  };

interface Asked {
  readonly response: Promise<void>;
  readonly close: () => void;
}

function byDatagram(to: SipSocket, callId: string): Asked {
  const socket = createSocket(to.host.includes(':') ? 'udp6' : 'udp4');
  const response = new Promise<void>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('message', (bytes) => {
      if (isResponse(bytes.toString('latin1'), callId)) resolve();
    });
    // Not the callback of `connect`: that is called for a failure, too.
    socket.on('connect', () => socket.send(optionsText(to, socket.address(), callId)));
    // Connected: a port that is closed is told of at once.
    socket.connect(to.port, to.host);
  });
  return { response, close: () => socket.close() };
}

function byStream(to: SipSocket, callId: string): Asked {
  const socket = connect(to.port, to.host);
  let heard = '';
  const response = new Promise<void>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('connection closed')));
    socket.on('data', (bytes: Buffer) => {
      heard = (heard + bytes.toString('latin1')).slice(-longestResponse);
      if (isResponse(heard, callId)) resolve();
    });
    socket.on('connect', () => {
      const { localAddress = to.host, localPort = 0 } = socket;
      socket.write(optionsText(to, { address: localAddress, port: localPort }, callId));
    });
  });
  return { response, close: () => socket.destroy() };
}

const longestResponse = 16_384;

const isResponse = (text: string, callId: string): boolean => text.startsWith('SIP/2.0 ') && text.includes(callId);

function optionsText(to: SipSocket, from: { readonly address: string; readonly port: number }, callId: string): string {
  const local = uriHost(from.address);
  const place = `${uriHost(to.host)}:${to.port}`;
  const lines = [
    `OPTIONS sip:${place} SIP/2.0`,
    `Via: SIP/2.0/${to.transport.toUpperCase()} ${local}:${from.port};rport;branch=z9hG4bK${callId}`,
    'Max-Forwards: 1',
    `From: <sip:${userName}@${local}>;tag=${callId}`,
    `To: <sip:${place}>`,
    `Call-ID: ${callId}`,
    'CSeq: 1 OPTIONS',
    'Content-Length: 0',
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}
