import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/lib/clock.js';
import { systemIds, type CallId } from '../../src/lib/ids.js';
import { silentLogger } from '../../src/lib/logger.js';
import type { MediaEndpointEvent } from '../../src/media/media-engine.js';
import { WeriftMediaEngine } from '../../src/media/werift-media-engine.js';
import { ChromiumPhone } from '../support/peers/chromium-phone.js';
import { digitsIn, eventsIn } from '../support/peers/digits.js';
import { expectKeys, expectTone } from '../support/peers/hearing.js';
import { Scene } from '../support/peers/scene.js';
import { sine } from '../support/peers/sound.js';
import { listenFor, until } from '../support/peers/until.js';
import { RtpSpeaker } from '../support/peers/rtp-speaker.js';

const userHz = 1300;
const pbxHz = 700;
const keys = '0123456789*#';
const keyMs = 160;
const pauseMs = 100;
/**
 * libwebrtc measures a key of telephone-event/8000 by the stream's clock of 48 kHz: it stops at the first 20 ms that lie beyond
 * 8 ticks for each millisecond. Its events say so, and are what the PBX has to get.
 */
const browserKeyMs = 960;
const browserEventMs = Math.ceil((browserKeyMs * 8) / 960) * 20;
const talkMs = 3_000;
/** From mouth to ear, the browser's own buffers and its microphone's blocks included, on a machine that does other things as well. */
const mostDelayMs = 500;

/** The engine between a browser's WebRTC stack and a PBX's RTP. */
describe.each(['user-initiated', 'business-initiated'] as const)('a %s call with Chromium', (direction) => {
  let scene: Scene;
  let browser: ChromiumPhone;
  let pbx: RtpSpeaker;
  const events: MediaEndpointEvent[] = [];

  beforeEach(async () => {
    scene = new Scene();
    events.length = 0;
    browser = scene.add(await ChromiumPhone.start(sine(userHz, 1_000, 48_000), scene.path('microphone.wav')));
    const engine = new WeriftMediaEngine({
      ...{ listenIp: '127.0.0.1', advertisedIp: '', rtpPorts: [20_000, 20_099], webrtcPorts: [10_000, 10_099] },
      ...{ remoteNetworks: ['127.0.0.0/8'], logger: silentLogger, clock: systemClock, ids: systemIds },
    });
    scene.add(engine);
    await engine.start();
    const call = 'chromium' as CallId;
    const endpoint = await engine.createWebRtcEndpoint({ call });
    endpoint.listen((event) => events.push(event));
    if (direction === 'user-initiated') {
      await browser.accept(await endpoint.createAnswer(await browser.offer()));
      await endpoint.start();
    } else await endpoint.acceptAnswer(await browser.answer(await endpoint.createOffer()));
    const pbxEndpoint = await engine.createRtpEndpoint({ call, codecs: ['PCMA'], remoteNetworks: ['127.0.0.0/8'] });
    pbx = scene.add(await RtpSpeaker.open(pbxHz));
    pbx.sendTo(await pbxEndpoint.createAnswer(pbx.sdp));
    engine.createBridge(call).connect(endpoint.id, pbxEndpoint.id);
    endpoint.openSending();
    await until('DTLS up', 10_000, () => events.some(({ type }) => type === 'dtls_connected') || undefined);
    await browser.connected(10_000);
  });
  afterEach(() => scene.close());

  it('carries tones both ways: frequency, level and delay', async () => {
    // Both speak from a moment that is known on both sides.
    await listenFor(1_000);
    await browser.listen();
    const pbxBeganMs = pbx.speak();
    const toUserMs =
      (await until('sound at the user', 5_000, async () => (await browser.loudAtMs()) || undefined)) - pbxBeganMs;
    pbx.forget();
    const userBeganMs = await browser.speak(true);
    const toPbxMs = (await until('sound at the PBX', 5_000, () => pbx.loudAtMs || undefined)) - userBeganMs;
    // The first second of a stream is stretched by the browser until its buffer is as it wants it.
    await listenFor(1_000);
    await browser.listen();
    pbx.forget();
    await listenFor(talkMs);
    expectTone(await browser.heard(), pbxHz, talkMs * 0.8);
    expectTone(pbx.heard(), userHz, talkMs * 0.8);
    process.stdout.write(`${JSON.stringify({ direction, toUserMs, toPbxMs })}\n`);
    expect(toUserMs).toBeLessThan(mostDelayMs);
    expect(toPbxMs).toBeLessThan(mostDelayMs);
  });

  it('carries every key from the browser to the PBX as an event of the length that the browser says', async () => {
    await browser.speak(true);
    await browser.press(keys, browserKeyMs, pauseMs);
    await until('all keys at the PBX', 25_000, () => eventsIn(pbx.received).length >= keys.length || undefined);
    await listenFor(200);
    expectKeys(eventsIn(pbx.received), keys, browserEventMs, 20);
  });

  it('carries every key from the PBX to the browser, which plays them', async () => {
    await listenFor(1_000);
    await browser.listen();
    await pbx.press(keys, keyMs, pauseMs);
    await listenFor(1_500);
    expectKeys(digitsIn(await browser.heard()), keys, keyMs, 60);
  });
});
