import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withDeadline } from '../../src/lib/deadline.js';
import { tone } from '../../src/sandbox/audio/signals.js';
import type { PhoneCall } from '../../src/sandbox/phone/phone-call.js';
import type { WhatsAppPhone } from '../../src/sandbox/phone/phone.js';
import { address } from '../support/peers/addresses.js';
import { Asterisk } from '../support/peers/asterisk.js';
import { Baresip } from '../support/peers/baresip.js';
import type { Bridge, BridgeOptions, GraphSide } from '../support/peers/bridge.js';
import { expectTone } from '../support/peers/hearing.js';
import { business, user } from '../support/peers/meta.js';
import { heardBy, startWithSandbox } from '../support/peers/sandbox-scene.js';
import { Scene } from '../support/peers/scene.js';
import { judgeTone, sine } from '../support/peers/sound.js';
import { listenFor } from '../support/peers/until.js';

const userToneHz = 1300;
const phoneToneHz = 700;

// The whole chain with nothing scripted: the sandbox's Meta and its phone on libwebrtc, the daemon, a real PBX or phone.
describe('a WhatsApp phone of the sandbox', () => {
  let scene: Scene;
  let phone: WhatsAppPhone;
  let bridge: Bridge<GraphSide>;
  beforeEach(() => {
    scene = new Scene();
  });
  afterEach(() => scene.close());

  const start = async (options: BridgeOptions): Promise<void> => {
    ({ phone, bridge } = await startWithSandbox(scene, options));
  };

  const talk = async (call: PhoneCall): Promise<void> => {
    await withDeadline(call.answered, 15_000, 'the answer');
    call.play(tone(48_000, userToneHz, 10_000, 0.5));
    await listenFor(3_000);
  };

  /** What the user heard, as this suite judges it; libwebrtc stretches the start of a stream, so only its frequency is exact. */
  const expectUserHeard = (call: PhoneCall, hz: number): void => {
    const heard = judgeTone(heardBy(call));
    expect(heard.hz / hz, JSON.stringify(heard)).toBeCloseTo(1, 2);
    expect(heard.activeMs, JSON.stringify(heard)).toBeGreaterThan(1_500);
    expect(call.packetsBeforeAnswer).toBe(0);
  };

  const expectNoComplaints = (): void => {
    expect(bridge.complaints).toEqual([]);
  };

  const startBaresip = async (): Promise<Baresip> =>
    scene.add(
      await Baresip.start({
        address: address.baresip,
        folder: scene.path('baresip'),
        user: `+${business.number}`,
        codecs: 'pcma',
        answer: 'auto',
        play: sine(phoneToneHz, 30_000, 8_000),
      }),
    );

  it('calls Asterisk and hears its own voice', async () => {
    await start({ pbx: address.asterisk, to: '620' });
    const asterisk = scene.add(
      await Asterisk.start({ address: address.asterisk, trunk: address.bridge, folder: scene.path('asterisk') }),
    );
    const call = await phone.call();
    await talk(call);
    call.hangup();
    await asterisk.idle(5_000);
    await bridge.idle(5_000);
    expectUserHeard(call, userToneHz);
    expectTone(await asterisk.heard(), userToneHz, 1_500);
    expectNoComplaints();
  });

  it('calls baresip; both hear each other, and baresip hangs up', async () => {
    await start({ pbx: address.baresip });
    const pbx = await startBaresip();
    const call = await phone.call();
    await talk(call);
    await pbx.command('hangup');
    await withDeadline(call.ended, 5_000, 'the end of the call');
    await bridge.idle(5_000);
    expectUserHeard(call, phoneToneHz);
    expectTone(await pbx.heard(), userToneHz, 1_500);
    expectNoComplaints();
  });

  it('is called by baresip; both hear each other, and the user hangs up', async () => {
    await start({ pbx: address.baresip });
    const pbx = await startBaresip();
    await pbx.command('dial', `sip:+${user}@${address.bridge}:5060`);
    const call = await phone.nextCall(10_000);
    await call.accept();
    await talk(call);
    call.hangup();
    await pbx.event('CALL_CLOSED', 5_000);
    await bridge.idle(5_000);
    expectUserHeard(call, phoneToneHz);
    expectTone(await pbx.heard(), userToneHz, 1_500);
    expectNoComplaints();
  });
});
