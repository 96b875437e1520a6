import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { srtpSuites } from '../../src/sdp/sdes.js';
import { Scene } from '../support/peers/scene.js';
import { sequenceWalk, wrapsOf } from '../support/peers/sequence-walk.js';
import { LibSrtp } from '../support/peers/srtp-tool.js';
import { KeepingSrtpReceiver, KeepingSrtpSender, testKey } from '../support/srtp-keys.js';

const gap = 5_000;
const packets = sequenceWalk(1_000, gap);
/** A sender report of nobody in particular. */
const report = Buffer.from('80c80006cafebabe00000000000000000000000000000001000000a0', 'hex');
const hex = (all: readonly (Buffer | undefined)[]): (string | undefined)[] => all.map((one) => one?.toString('hex'));

describe('a walk of sequence numbers', () => {
  it('wraps by single steps and by gaps', () => {
    const wraps = wrapsOf(packets);
    expect(wraps.filter((step) => step === 1).length).toBeGreaterThan(2);
    expect(wraps.filter((step) => step === gap).length).toBeGreaterThan(2);
  });
});

// libsrtp of this machine against our own, packet by packet, with a key that both know.
describe.each(srtpSuites)('libsrtp and we, %s', (suite) => {
  let scene: Scene;
  let libsrtp: LibSrtp;
  const key = testKey(suite, 0x5a);
  const sealedByUs = (): Buffer[] => {
    const sender = new KeepingSrtpSender(key);
    return packets.map((packet) => sender.sealRtp(packet));
  };
  const receiver = () => {
    const refused = { unauthentic: 0, replayed: 0 };
    return { refused, receiver: new KeepingSrtpReceiver(key, refused) };
  };

  beforeAll(() => {
    scene = new Scene();
    libsrtp = new LibSrtp(scene, key);
  });
  afterAll(() => scene.close());

  it('seal a stream alike, byte for byte, over every wrap', () => {
    expect(hex(sealedByUs())).toEqual(hex(libsrtp.seal(packets)));
  });

  it('open what the other sealed', () => {
    expect(hex(libsrtp.open(sealedByUs()))).toEqual(hex(packets));
    const ours = receiver();
    expect(hex(libsrtp.seal(packets).map((sealed) => ours.receiver.openRtp(sealed)))).toEqual(hex(packets));
    expect(ours.refused).toEqual({ unauthentic: 0, replayed: 0 });
  });

  it('refuse alike what comes twice, what was changed, and what another key sealed', () => {
    const row = packets.slice(0, 60);
    const stranger = new KeepingSrtpSender(testKey(suite, 0x11));
    const [sealed, foreign] = [sealedByUs().slice(0, 60), row.map((packet) => stranger.sealRtp(packet))];
    const wire = sealed.flatMap((one, i) => {
      const changed = Buffer.from(one);
      const at = changed.length - 1 - (i % 8);
      changed[at] = (changed[at] ?? 0) ^ (1 << (i % 8));
      return [changed, foreign[i] ?? one, one, one];
    });
    const expected = row.flatMap((packet) => ['', '', packet.toString('hex'), '']);
    expect(hex(libsrtp.open(wire))).toEqual(expected);
    const ours = receiver();
    expect(wire.map((one) => ours.receiver.openRtp(Buffer.from(one))?.toString('hex') ?? '')).toEqual(expected);
    expect(ours.refused).toEqual({ unauthentic: 120, replayed: 60 });
  });

  it('open the reports of the other; from the second of ours on they are alike', () => {
    const reports = Array.from({ length: 20 }, () => report);
    const [theirs, sender] = [libsrtp.seal(reports), new KeepingSrtpSender(key)];
    const ours = reports.map((one) => sender.sealRtcp(one));
    // libsrtp counts from 1, this bridge from 0 (RFC 3711 §3.4)
    expect(hex(ours.slice(1))).toEqual(hex(theirs.slice(0, -1)));
    expect(hex(libsrtp.open(ours))).toEqual(hex(reports));
    const { receiver: opener } = receiver();
    expect(hex(theirs.map((one) => opener.openRtcp(one)))).toEqual(hex(reports));
  });
});
