import { expect } from 'vitest';
import { levelDbfs, strongestHz } from '../../src/sandbox/audio/measure.js';
import type { Pcm } from '../../src/sandbox/audio/pcm.js';
import { pace } from './pace.js';
import type { RtpPeer } from './rtp-peer.js';
import { fromG711, toG711, ToneSource } from './tones.js';
import type { WrtcPeer } from './wrtc-peer.js';

const pbxHz = 1000;

/** Phone and PBX (A-law) play a tone each through a call that is up, and each must hear the other's, `phoneHz` being the phone's. */
export async function expectTonesBothWays(phone: WrtcPeer, phoneHz: number, pbx: RtpPeer, port: number): Promise<void> {
  await phone.reaches('connected');
  phone.play();
  const tone = new ToneSource(pbxHz);
  const say = (ms: number, from: number): Promise<void> =>
    pace(ms / 20, 20, (i) => {
      const sequence = from + i;
      pbx.send(port, { payloadType: 8, sequence, timestamp: sequence * 160, payload: toG711('PCMA', tone.next(160)) });
    });
  await say(600, 0);
  phone.forget();
  pbx.received.length = 0;
  await say(1000, 30);
  const { samples, sampleRate } = phone.heard;
  const atPhone: Pcm = { rateHz: sampleRate, samples: Float32Array.from(samples, (value) => value / 32_768) };
  const payloads = pbx.received.filter(({ payloadType }) => payloadType === 8).map(({ payload }) => payload);
  const atPbx = fromG711('PCMA', payloads);
  expect(strongestHz(atPhone)).toBeCloseTo(pbxHz, -2);
  expect(levelDbfs(atPhone)).toBeGreaterThan(-25);
  expect(strongestHz(atPbx)).toBeCloseTo(phoneHz, -2);
  expect(levelDbfs(atPbx)).toBeGreaterThan(-25);
}
