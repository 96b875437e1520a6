import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withDeadline } from '../../../src/lib/deadline.js';
import { amplitudeAt } from '../../../src/sandbox/audio/measure.js';
import { slice } from '../../../src/sandbox/audio/pcm.js';
import { judge, makeProgramme } from '../../../src/sandbox/audio/programme.js';
import { tone } from '../../../src/sandbox/audio/signals.js';
import { NoDtmfSenderError, type PhoneCall } from '../../../src/sandbox/phone/phone-call.js';
import { PhoneMedia } from '../../../src/sandbox/phone/phone-media.js';
import { loadWrtc } from '../../../src/sandbox/phone/wrtc.js';
import { businessDress } from './business-dress.js';
import { startFixture, USER, type Fixture } from './fixture.js';

const SOON_MS = 10_000;
const SOON = { timeout: SOON_MS };
let at: Fixture;
let business: PhoneMedia;
beforeEach(async () => {
  at = await startFixture();
  business = new PhoneMedia(await loadWrtc(), businessDress);
});
afterEach(async () => {
  business.close();
  await at.stop();
});

/** The offer in the connect webhook, as the daemon would read it. */
async function sdpOfConnect(): Promise<string> {
  await expect.poll(() => at.webhook.names, SOON).toContain('connect');
  const connect = at.webhook.events.find(([name]) => name === 'connect')![1];
  return (connect['session'] as { sdp: string }).sdp;
}

/** A user's call, pre-accepted by the business and with its media up. */
async function preAccepted(): Promise<{ call: PhoneCall; answer: { sdp_type: string; sdp: string } }> {
  const phone = await at.sandbox.phone({ waId: USER });
  const call = await phone.call();
  const answer = { sdp_type: 'answer', sdp: await business.answer(await sdpOfConnect()) };
  expect(await at.call('pre_accept', { call_id: call.id, session: answer })).toMatchObject({ status: 200 });
  await withDeadline(Promise.all([call.media.connected, business.connected]), SOON_MS, 'media');
  return { call, answer };
}

describe('the user calls', () => {
  it('media comes up with pre_accept, talk begins with accept, audio is measured both ways, the user hangs up', async () => {
    const { call, answer } = await preAccepted();
    expect(call.times.answeredAtMs).toBeUndefined();
    const [up, down] = [620, 840].map((toneHz) =>
      makeProgramme({ rateHz: 48_000, toneHz, toneMs: 800, withSpeech: false }),
    );
    const [said, played] = [call.play(up!.pcm), business.play(down!.pcm)];
    expect((await at.call('accept', { call_id: call.id, session: answer })).status).toBe(200);
    business.openMicrophone();
    await withDeadline(call.answered, SOON_MS, 'answer');
    await withDeadline(Promise.all([said.finished, played.finished]), SOON_MS, 'playing');
    await withDeadline(Promise.all([call.media.hear(300), business.hear(300)]), SOON_MS, 'tail');
    const heardUp = judge(business.heard(), up!, await said.started);
    const heardDown = judge(call.media.heard(), down!, await played.started);
    for (const [heard, hz] of [
      [heardUp, 620],
      [heardDown, 840],
    ] as const) {
      expect(Math.abs(heard.toneHz! - hz)).toBeLessThan(hz * 0.01);
      expect(heard.levelDb).toBeGreaterThan(-13);
      expect(heard.delayMs!).toBeLessThan(450);
    }
    expect(call.packetsBeforeAnswer).toBe(0);
    expect(call.media.firstHeardAtMs!).toBeGreaterThan(call.times.answeredAtMs!);
    call.hangup();
    expect(await call.ended).toMatchObject({ by: 'user', status: 'COMPLETED' });
    await expect.poll(() => at.webhook.names, SOON).toEqual(['connect', 'terminate']);
    expect(at.webhook.events[1]![1]).toHaveProperty('duration');
  });

  it('RTP before accept is noticed: WhatsApp would count the call as answered', async () => {
    const { call, answer } = await preAccepted();
    business.openMicrophone();
    await expect.poll(() => call.media.packetsReceived(), SOON).toBeGreaterThan(3);
    await at.call('accept', { call_id: call.id, session: answer });
    expect(call.packetsBeforeAnswer).toBeGreaterThan(3);
  });

  it('accept without pre_accept brings the media up as well', async () => {
    const call = await (await at.sandbox.phone({ waId: USER })).call();
    const answer = { sdp_type: 'answer', sdp: await business.answer(await sdpOfConnect()) };
    expect((await at.call('accept', { call_id: call.id, session: answer })).status).toBe(200);
    await withDeadline(Promise.all([call.answered, call.media.connected, business.connected]), SOON_MS, 'media');
  });

  it('the business terminates: the phone is told', async () => {
    const { call } = await preAccepted();
    await at.call('terminate', { call_id: call.id });
    expect(await withDeadline(call.ended, SOON_MS, 'end')).toMatchObject({ by: 'business', rejected: false });
  });

  it('keys: no RFC 4733 without a DTMF sender, tones in band are heard', async () => {
    const { call, answer } = await preAccepted();
    await expect(call.pressKeys('5')).rejects.toBeInstanceOf(NoDtmfSenderError);
    await at.call('accept', { call_id: call.id, session: answer });
    const said = call.play(tone(48_000, 400, 1000, 0.2));
    await withDeadline(said.finished, SOON_MS, 'lead');
    const from = business.heard().samples.length;
    await withDeadline(call.pressKeys('5', 'inBand'), SOON_MS, 'key');
    await withDeadline(business.hear(400), SOON_MS, 'tail');
    const heard = business.heard();
    const key = slice(heard, (from / heard.rateHz) * 1000, Infinity);
    const loudest = (hz: number) =>
      Math.max(
        ...Array.from({ length: 40 }, (_, i) => amplitudeAt(slice(key, i * 10, i * 10 + 40).samples, 48_000, hz)),
      );
    expect(loudest(770)).toBeGreaterThan(0.1);
    expect(loudest(1336)).toBeGreaterThan(0.1);
    expect(loudest(941)).toBeLessThan(0.1);
  });
});

describe('the business calls', () => {
  async function connect(): Promise<string> {
    const session = { sdp_type: 'offer', sdp: await business.offer() };
    const reply = await at.call('connect', { to: USER, session });
    expect(reply.status).toBe(200);
    return (reply.body['calls'] as { id: string }[])[0]!.id;
  }

  it('the phone rings with media up, is picked up, and hears', async () => {
    const phone = await at.sandbox.phone({ waId: USER });
    const id = await connect();
    const call = await phone.nextCall(SOON_MS);
    expect(call.id).toBe(id);
    await business.acceptAnswer(await sdpOfConnect());
    await withDeadline(Promise.all([call.media.connected, business.connected]), SOON_MS, 'media');
    expect(call.times.answeredAtMs).toBeUndefined();
    await call.accept();
    await expect.poll(() => at.webhook.names, SOON).toEqual(['connect', 'RINGING', 'ACCEPTED']);
    business.play(tone(48_000, 700, 1500, 0.3));
    business.openMicrophone();
    await expect.poll(() => call.media.firstHeardAtMs, SOON).toBeGreaterThan(call.times.answeredAtMs!);
    expect(call.packetsBeforeAnswer).toBe(0);
  });

  it.each([
    ['accept', ['connect', 'RINGING', 'ACCEPTED']],
    ['reject', ['connect', 'RINGING', 'REJECTED', 'terminate']],
  ] as const)('a phone told to %s does so by itself', async (onIncoming, names) => {
    await at.sandbox.phone({ waId: USER, onIncoming, ringMs: 100 });
    await connect();
    await expect.poll(() => at.webhook.names, SOON).toEqual(names);
  });

  it('a phone that leaves while it rings ends the call', async () => {
    const phone = await at.sandbox.phone({ waId: USER });
    await connect();
    const call = await phone.nextCall(SOON_MS);
    phone.close();
    expect(await withDeadline(call.ended, SOON_MS, 'end')).toMatchObject({ by: 'user' });
    await expect.poll(() => at.webhook.names.at(-1), SOON).toBe('terminate');
  });
});

it('stop leaves no webhook behind and is not held up by calls', async () => {
  const { call } = await preAccepted();
  await withDeadline(at.sandbox.stop(), 3000, 'stop');
  expect(await call.ended).toMatchObject({ by: 'network' });
  expect(at.webhook.names).toEqual(['connect']);
  await withDeadline(at.sandbox.stop(), 3000, 'second stop');
});
