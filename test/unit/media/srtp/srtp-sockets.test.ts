import { beforeEach, describe, expect, it } from 'vitest';
import type { RemoteInfo } from 'node:dgram';
import { FakeClock } from '../../../../src/lib/clock.js';
import { buildRtcp } from '../../../../src/media/rtcp-packet.js';
import { writeRtpHeader } from '../../../../src/media/rtp-packet.js';
import type { DatagramListener } from '../../../../src/lib/datagram-batches.js';
import type { MediaSockets } from '../../../../src/media/rtp-sockets.js';
import { SrtpSockets } from '../../../../src/media/srtp/srtp-sockets.js';
import { KeepingSrtpSender, testKey } from '../../../support/srtp-keys.js';

const suite = 'AES_CM_128_HMAC_SHA1_80';
const agreement = { local: testKey(suite, 1), remote: testKey(suite, 2), protocol: 'RTP/SAVP' } as const;
const from = { address: '127.0.0.1', port: 4000 } as RemoteInfo;
const report = buildRtcp({ ssrc: 7, cname: 'us', sender: undefined, block: undefined, bye: false });

function rtp(sequence: number): Buffer {
  const packet = Buffer.alloc(172, 0x55);
  writeRtpHeader(packet, 8, false, sequence, 0, 7);
  return packet;
}

describe('sockets of a leg that may be secured', () => {
  let wire: Buffer[];
  let heard: string[];
  let arrive: DatagramListener;
  let clock: FakeClock;
  let sockets: SrtpSockets;

  beforeEach(() => {
    [wire, heard, clock] = [[], [], new FakeClock()];
    const inner: MediaSockets = {
      rtpPort: 4002,
      errors: 0,
      listen: (onRtp) => (arrive = onRtp),
      sendRtp: (datagram) => wire.push(Buffer.from(datagram)),
      sendRtcp: (datagram) => wire.push(Buffer.from(datagram)),
      close: () => Promise.resolve(),
    };
    sockets = new SrtpSockets(inner, clock);
    const note: DatagramListener = (datagram) => heard.push(datagram.toString('hex'));
    sockets.listen(note, note, (error) => {
      throw error;
    });
  });
  const send = (sequence: number): void => {
    sockets.sendRtp(rtp(sequence), 4000, '127.0.0.1');
    sockets.sendRtcp(report, 4001, '127.0.0.1');
  };

  it('send nothing before it is agreed whether it is', () => {
    send(1);
    expect(wire).toEqual([]);
  });

  it('send plain packets once that is agreed, and sealed ones from the first key on', () => {
    sockets.agree(undefined);
    send(1);
    expect(wire).toEqual([rtp(1), report]);
    sockets.agree(agreement);
    send(2);
    expect(wire.slice(2).map(({ length }) => length)).toEqual([172 + 10, report.length + 14]);
  });

  it('never send or take a plain packet again, even if somebody says so', () => {
    sockets.agree(agreement);
    sockets.agree(undefined);
    send(1);
    expect(wire.map(({ length }) => length)).toEqual([172 + 10, report.length + 14]);
    arrive(rtp(1), from);
    expect(heard).toEqual([]);
    expect(sockets.refused.unauthentic).toBe(1);
  });

  it('of a ringback that was there long before the key only the end is heard', () => {
    const sender = new KeepingSrtpSender(agreement.remote);
    for (let i = 0; i < 100; i++) {
      arrive(sender.sealRtp(rtp(i)), from);
      clock.advance(20);
    }
    sockets.agree(agreement);
    expect(heard).toEqual([97, 98, 99].map((i) => rtp(i).toString('hex')));
    arrive(sender.sealRtp(rtp(100)), from);
    expect(heard).toHaveLength(4);
  });

  it('keep nothing that is too long to be audio', () => {
    const sender = new KeepingSrtpSender(agreement.remote);
    const long = Buffer.concat([rtp(1), Buffer.alloc(1500)]);
    arrive(sender.sealRtp(long), from);
    sockets.agree(agreement);
    expect(heard).toEqual([]);
  });
});
