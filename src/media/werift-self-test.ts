import { NamedCurveAlgorithmList } from 'werift';
import { systemClock } from '../lib/clock.js';
import { withDeadline } from '../lib/deadline.js';
import { silentLogger } from '../lib/logger.js';
import { DetachedSocket } from './detached-socket.js';
import { MediaError } from './media-error.js';
import { buildRtcp } from './rtcp-packet.js';
import { rtpHeaderBytes, writeRtpHeader } from './rtp-packet.js';
import type { Endpoint } from './source-guard.js';
import { processCertificate, type Certificate } from './werift-certificate.js';
import { WeriftDtls } from './werift-dtls.js';
import { WeriftIce } from './werift-ice.js';
import type { PacketPath } from './werift-packets.js';
import { WeriftSocket } from './werift-socket.js';

/** A call with oneself takes about 100 ms; a machine may be busy. */
const deadlineMs = 10_000;
const opusPayloadType = 111;
const ssrc = 0x5e1f_7e57;

/** One end of a call within this process. */
interface End {
  readonly host: Endpoint;
  readonly socket: DetachedSocket;
  readonly ice: WeriftIce;
  readonly dtls: WeriftDtls;
  /** What came through, in hexadecimal digits. */
  readonly heard: string[];
}

/**
 * Proves that our packet path is live: for each curve that keys may be agreed on with, two WebRTC stacks have a call with each
 * other, without a socket, one with our SRTP at the socket and one with werift's packet events. What one sends the other has to
 * hear, byte for byte, both ways. It also compiles what a first call would have to wait for. No other call may be set up meanwhile.
 * @throws MediaError `internal`, or whatever werift says, if anything of it does not hold.
 */
export async function checkPackets(): Promise<void> {
  // What each connection of the process offers and takes, the first that both have being chosen.
  const curves = NamedCurveAlgorithmList;
  const all = [...curves];
  try {
    for (const curve of all) {
      curves.splice(0, curves.length, curve);
      await callOneself();
    }
  } finally {
    curves.splice(0, curves.length, ...all);
  }
}

async function callOneself(): Promise<void> {
  const certificate = await processCertificate();
  const ends = [madeEnd('own', certificate), madeEnd('werift', certificate)] as const;
  try {
    const [ours, theirs] = ends;
    join(ours, theirs);
    join(theirs, ours);
    const { fingerprint } = certificate;
    await withDeadline(
      Promise.all([connected(ours, theirs, 'client', fingerprint), connected(theirs, ours, 'server', fingerprint)]),
      deadlineMs,
      'a call of WebRTC with itself',
    );
    await expectHeard(ours, theirs);
    await expectHeard(theirs, ours);
  } finally {
    await Promise.all(ends.flatMap(({ dtls, ice }) => [dtls.close(), ice.close()]));
  }
}

function madeEnd(path: PacketPath, certificate: Certificate): End {
  // Addresses of documentation (RFC 5737): they are names here, nothing is sent anywhere.
  const host = { address: path === 'own' ? '192.0.2.1' : '192.0.2.2', port: 4000 };
  const socket = new DetachedSocket();
  const ice = new WeriftIce({
    listenIp: host.address,
    advertisedIp: host.address,
    ports: [0, 0],
    clock: systemClock,
    logger: silentLogger,
    isControlling: path === 'own',
  });
  ice.attach(new WeriftSocket(socket.asSocket, ice.guard, silentLogger), host);
  const heard: string[] = [];
  const hear = (packet: Buffer): number => heard.push(packet.toString('hex'));
  return {
    host,
    socket,
    ice,
    dtls: new WeriftDtls(ice, certificate, path, { receive: hear, receiveReport: hear }),
    heard,
  };
}

/** What `from` sends arrives at `to`, in a turn of its own as from a network. */
function join(from: End, to: End): void {
  from.socket.onSent = (datagram) => {
    const copy = Buffer.from(datagram);
    setImmediate(() => to.socket.show(copy, from.host));
  };
}

async function connected(end: End, peer: End, role: 'client' | 'server', fingerprint: string): Promise<void> {
  await end.ice.transport.gather();
  const candidate = { foundation: '1', priority: 1, ...peer.host };
  await end.ice.connect({ iceLite: false, ice: peer.ice.local, candidates: [candidate] });
  await end.dtls.connect(role, fingerprint);
}

async function expectHeard(from: End, to: End): Promise<void> {
  const packet = Buffer.alloc(rtpHeaderBytes + 20, 0xa5);
  writeRtpHeader(packet, opusPayloadType, true, 1, 960, ssrc);
  const block = { ssrc, fractionLost: 1, cumulativeLost: 2, highestSequence: 3, jitter: 4 };
  const report = { ...block, lastSenderReport: 5, delaySinceLastReport: 6 };
  const compound = buildRtcp({ ssrc, cname: '', sender: undefined, block: report, bye: false });
  const receiverReport = compound.subarray(0, 32);
  from.dtls.packets?.sendRtp(packet);
  from.dtls.packets?.sendRtcp(receiverReport);
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  const expected = [packet, receiverReport].map((bytes) => bytes.toString('hex'));
  if (to.heard.join() !== expected.join()) {
    throw new MediaError('internal', 'packets of WebRTC do not come through as they were sent');
  }
}
