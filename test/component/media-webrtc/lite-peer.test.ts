import { RTCPeerConnection, RTCRtpCodecParameters, RtpHeader, useOPUS, type RtpPacket } from 'werift';
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../../src/lib/clock.js';
import type { CallId } from '../../../src/lib/ids.js';
import { silentLogger } from '../../../src/lib/logger.js';
import type { MediaPacket } from '../../../src/media/packet-port.js';
import { createWeriftEndpoint, type WeriftEndpoint } from '../../../src/media/webrtc-endpoint.js';
import type { PacketPath } from '../../../src/media/werift-packets.js';
import { until } from '../../support/until.js';

/**
 * A peer that is truly ICE-lite, as Meta's relay is and libwebrtc cannot be: it never checks us, and it says what it received
 * in the clear. (Independent stacks are proven in the other files and in the peers' tests.)
 */
class LitePeer {
  readonly heard: RtpPacket[] = [];
  readonly connection = new RTCPeerConnection({
    iceLite: true,
    iceServers: [{ urls: 'stun:127.0.0.1:9' }],
    iceUseIpv4: false,
    iceUseIpv6: false,
    iceInterfaceAddresses: { udp4: '127.0.0.1' },
    iceAdditionalHostAddresses: ['127.0.0.1'],
    headerExtensions: { audio: [], video: [] },
    codecs: {
      audio: [
        useOPUS({ mimeType: 'audio/opus', payloadType: 111 }),
        new RTCRtpCodecParameters({
          mimeType: 'audio/telephone-event',
          clockRate: 8000,
          payloadType: 126,
          channels: 1,
        }),
      ],
      video: [],
    },
  });

  async answer(offer: string): Promise<string> {
    await this.connection.setRemoteDescription({ type: 'offer', sdp: offer });
    this.connection.getTransceivers()[0]?.setDirection('sendrecv');
    await this.connection.setLocalDescription(await this.connection.createAnswer());
    this.#transport.onRtp.subscribe((packet) => this.heard.push(packet));
    return String(this.connection.localDescription?.sdp);
  }

  send(payloadType: number, sequence: number, timestamp: number, payload: Buffer): void {
    void this.#transport.sendRtp(
      payload,
      new RtpHeader({ payloadType, sequenceNumber: sequence, timestamp, ssrc: 99 }),
    );
  }

  get #transport() {
    return this.connection.dtlsTransports[0]!;
  }
}

let endpoint: WeriftEndpoint;
let peer: LitePeer;

afterEach(async () => {
  await endpoint.close();
  await peer.connection.close();
});

async function talking(packetPath: PacketPath = 'own'): Promise<void> {
  let isUp = false;
  endpoint = createWeriftEndpoint({
    call: 'call' as CallId,
    id: 'media',
    listenIp: '127.0.0.1',
    advertisedIp: '127.0.0.1',
    ports: [0, 0],
    remoteAllowed: (address) => address === '127.0.0.1',
    packetPath,
    logger: silentLogger,
    clock: systemClock,
  });
  endpoint.listen(({ type }) => (isUp ||= type === 'dtls_connected'));
  peer = new LitePeer();
  const answer = await peer.answer(await endpoint.createOffer());
  expect(answer).toContain('a=ice-lite');
  await endpoint.acceptAnswer(answer);
  await until(() => isUp && peer.connection.connectionState === 'connected', 'both up');
}

it('reaches a peer that never checks us, and is controlling', async () => {
  await talking();
  expect(endpoint.isControlling).toBe(true);
  endpoint.openSending();
  await until(() => peer.heard.length >= 10, 'ten packets at the peer');
  expect(peer.heard[0]?.payload).toEqual(Buffer.from([0xf8, 0xff, 0xfe]));
});

const paths = ['own', 'werift'] as const;

it.each(paths)(
  'by %s: sends a digit as Meta reads it: payload type 126, one 48 kHz timestamp, durations at 8 kHz, the end three times',
  async (path) => {
    await talking(path);
    endpoint.openSending();
    await until(() => peer.heard.length >= 3, 'silence first');
    endpoint.port.sendDtmf('9', 100);
    const events = () => peer.heard.filter(({ header }) => header.payloadType === 126);
    await until(() => events().length >= 7, 'the whole event');
    expect(new Set(events().map(({ header }) => header.timestamp)).size).toBe(1);
    expect(events().map(({ payload }) => [...payload])).toEqual([
      ...[160, 320, 480, 640].map((ticks) => [9, 10, ticks >> 8, ticks & 0xff]),
      ...Array<number[]>(3).fill([9, 0x8a, 800 >> 8, 800 & 0xff]),
    ]);
    expect(events().map(({ header }) => header.marker)).toEqual([true, ...Array<boolean>(6).fill(false)]);
    const sequences = peer.heard.map(({ header }) => header.sequenceNumber);
    expect(sequences.every((sequence, i) => i === 0 || sequence === sequences[i - 1]! + 1)).toBe(true);
  },
);

it.each(paths)(
  'by %s: hands telephone-events on as such, audio as audio, and anything else not at all',
  async (path) => {
    await talking(path);
    const audio: MediaPacket[] = [];
    const events: MediaPacket[] = [];
    const kept = (packet: MediaPacket): MediaPacket => ({ ...packet, payload: Uint8Array.from(packet.payload) });
    endpoint.port.onAudio = (packet) => audio.push(kept(packet));
    endpoint.port.onTelephoneEvent = (packet) => events.push(kept(packet));
    peer.send(111, 1, 960, Buffer.from([0xf8, 0xff, 0xfe]));
    peer.send(126, 2, 1920, Buffer.from([5, 0x0a, 0, 160]));
    peer.send(63, 3, 2880, Buffer.from([1]));
    peer.send(111, 4, 2880, Buffer.from([0xf8, 1]));
    await until(() => audio.length >= 2, 'two audio packets');
    expect(audio.map(({ sequence, timestamp }) => [sequence, timestamp])).toEqual([
      [1, 960],
      [4, 2880],
    ]);
    expect(events).toEqual([{ sequence: 2, timestamp: 1920, marker: false, payload: Uint8Array.of(5, 0x0a, 0, 160) }]);
    expect(endpoint.port.heard).toBeGreaterThanOrEqual(4);
  },
);
