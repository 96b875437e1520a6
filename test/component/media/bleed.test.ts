import type { Socket } from 'node:dgram';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/lib/clock.js';
import { systemIds, type CallId } from '../../../src/lib/ids.js';
import { silentLogger } from '../../../src/lib/logger.js';
import type { RtpEndpoint } from '../../../src/media/media-engine.js';
import type { PacketPort } from '../../../src/media/packet-port.js';
import { writeRtpHeader } from '../../../src/media/rtp-packet.js';
import { UdpRtpEndpoint } from '../../../src/media/rtp-endpoint.js';
import { WeriftMediaEngine } from '../../../src/media/werift-media-engine.js';
import { pace } from '../../support/pace.js';
import { rtpPorts } from '../../support/ports.js';
import { RtpPeer } from '../../support/rtp-peer.js';
import { runsOf } from '../../support/runs.js';
import { boundSocket } from '../../support/udp-relay.js';

/** G-A1 in full is 60 s: SIP2WA_RUNS=20. */
const { runs: callSeconds, timeoutMs } = runsOf(3, 30_000);
const ringSeconds = 1;
const [firstPort] = rtpPorts;
const lastPort = firstPort + 199;
const packetsPerSecond = 1000;
const theirs = 0xd5;
const ours = 0x55;
const attackersHome = '127.0.0.66';

/** Sprays a range of ports with well-formed audio and RTCP, one port after the other, and counts what comes back. */
class Sprayer {
  sent = 0;
  received = 0;
  #timer: NodeJS.Timeout | undefined;

  private constructor(private readonly socket: Socket) {
    socket.on('message', () => this.received++);
  }

  static async open(): Promise<Sprayer> {
    return new Sprayer(await boundSocket(attackersHome));
  }

  start(): void {
    const start = performance.now();
    this.#timer = setInterval(() => {
      const due = ((performance.now() - start) * packetsPerSecond) / 1000;
      while (this.sent < due) this.#spray();
    }, 2);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.socket.close();
  }

  #spray(): void {
    const range = lastPort - firstPort + 1;
    const port = firstPort + (this.sent % range);
    const datagram = Buffer.alloc(172, theirs);
    const round = Math.floor(this.sent / range);
    // As good as it can be forged: one stream for each port, numbers in order.
    writeRtpHeader(datagram, 8, false, round, round * 160, 0xbad);
    this.sent++;
    this.socket.send(datagram, port, '127.0.0.1');
  }
}

interface Outcome {
  readonly attackerGot: number;
  readonly injected: number;
  readonly heard: number;
  readonly pbxGot: number;
  readonly hits: number;
  readonly sprayed: number;
}

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function portOf(endpoint: RtpEndpoint): { port: PacketPort; foreign: number } {
  if (!(endpoint instanceof UdpRtpEndpoint)) throw new Error('not the endpoint of this process');
  return { port: endpoint.port, foreign: endpoint.foreignPackets };
}

/** A call whose set-up and whole length somebody sprays; `natted`: the PBX's packets come from elsewhere than its SDP says. */
async function callUnderSpray(symmetricRtp: boolean, natted: boolean): Promise<Outcome> {
  const engine = new WeriftMediaEngine({
    ...{ listenIp: '127.0.0.1', advertisedIp: '', rtpPorts: [firstPort, lastPort], webrtcPorts: [0, 0] },
    ...{ remoteNetworks: ['127.0.0.0/8'], logger: silentLogger, clock: systemClock, ids: systemIds },
  });
  closing.push(() => engine.stop());
  const [pbx, attacker] = [await RtpPeer.open(), await Sprayer.open()];
  closing.push(
    () => pbx.close(),
    () => attacker.stop(),
  );
  attacker.start();
  // The attacker sits in the same network: what is trusted there is trusted from it, too.
  const remoteNetworks = ['127.0.0.0/8'];
  const call = 'sprayed' as CallId;
  const endpoint = await engine.createRtpEndpoint({ call, codecs: ['PCMA'], remoteNetworks, symmetricRtp });
  const { port } = portOf(endpoint);
  let [injected, heard] = [0, 0];
  port.onAudio = ({ payload }) => (payload[0] === theirs ? injected++ : heard++);
  port.onTelephoneEvent = () => injected++;
  const rtpPort = Number(/m=audio (\d+)/.exec(await endpoint.createOffer())?.[1]);
  await pace(ringSeconds * 50, 20, () => undefined);
  await endpoint.acceptAnswer(pbx.sdp(natted ? { address: '192.168.1.20' } : {}));
  const payload = new Uint8Array(160).fill(ours);
  // The PBX needs a moment until it speaks, and all the while the gate is open.
  await pace(callSeconds * 50, 20, (i) => {
    port.sendAudio(payload, 20);
    if (i >= 25) pbx.send(rtpPort, { payloadType: 8, sequence: i, timestamp: i * 160, payload });
  });
  const { foreign: hits } = portOf(endpoint);
  return { attackerGot: attacker.received, injected, heard, pbxGot: pbx.received.length, hits, sprayed: attacker.sent };
}

describe('RTP bleed and injection (G-A1): 1,000 packets a second over the whole port range', () => {
  it.each([
    ['held to the SDP', false, false],
    ['learnt, from a PBX that is where its SDP says', true, false],
    ['learnt, from a PBX behind address translation', true, true],
  ])(
    '%s',
    async (_what, symmetricRtp, natted) => {
      const outcome = await callUnderSpray(symmetricRtp, natted);
      const { attackerGot, injected, heard, pbxGot, hits, sprayed } = outcome;
      const most = symmetricRtp ? 4 : 0;
      expect({ attackerGot: attackerGot <= most, injected: injected <= most }, JSON.stringify(outcome)).toEqual({
        attackerGot: true,
        injected: true,
      });
      // The spray did come in, and the call did not suffer.
      expect(sprayed).toBeGreaterThan((callSeconds + ringSeconds) * packetsPerSecond * 0.8);
      expect(hits, JSON.stringify(outcome)).toBeGreaterThan(callSeconds * 2);
      expect(heard).toBeGreaterThanOrEqual(callSeconds * 50 - 25 - 5);
      expect(pbxGot).toBeGreaterThanOrEqual(natted ? callSeconds * 50 - 35 : callSeconds * 50 - 5);
      if (process.env['SIP2WA_RUNS']) process.stdout.write(`${JSON.stringify({ symmetricRtp, natted, ...outcome })}\n`);
    },
    timeoutMs,
  );
});
