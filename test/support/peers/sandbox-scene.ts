import { withDeadline } from '../../../src/lib/deadline.js';
import { tone } from '../../../src/sandbox/audio/signals.js';
import type { PhoneCall } from '../../../src/sandbox/phone/phone-call.js';
import type { WhatsAppPhone } from '../../../src/sandbox/phone/phone.js';
import { startSandbox } from '../../../src/sandbox/sandbox.js';
import { Bridge, type BridgeOptions, type GraphSide } from './bridge.js';
import { business, secrets, user } from './meta.js';
import type { Scene } from './scene.js';
import { listenFor } from './until.js';
import type { Sound } from './wav.js';

/** The WhatsApp side on libwebrtc. */
export interface SandboxSide {
  readonly phone: WhatsAppPhone;
  readonly bridge: Bridge<GraphSide>;
}

/** The daemon before the sandbox's Meta, with a phone on libwebrtc that the business may always call. */
export async function startWithSandbox(scene: Scene, options: BridgeOptions): Promise<SandboxSide> {
  const sandbox = scene.add(
    await startSandbox({
      appSecret: secrets.app,
      accessToken: secrets.token,
      numberId: business.id,
      businessNumber: business.number,
    }),
  );
  const phone = await sandbox.phone({ waId: user, permission: 'permanent' });
  const meta = { baseUrl: sandbox.graphUrl, deliverTo: (url: string) => sandbox.setWebhook(url) };
  return { phone, bridge: await Bridge.startBefore(scene, options, meta) };
}

/** Lets the user say tones one after the other, each for so long, once the call is answered; returns when the last has been said. */
export async function say(call: PhoneCall, frequencies: readonly number[], eachMs: number): Promise<void> {
  await withDeadline(call.answered, 15_000, 'the answer');
  const said = frequencies.map((hz) => call.play(tone(48_000, hz, eachMs, 0.5)));
  await Promise.all(said.map(({ finished }) => finished));
  // What was said last is on its way still.
  await listenFor(400);
}

/** What the user heard, at 48 kHz. */
export function heardBy(call: PhoneCall): Sound {
  const { rateHz, samples } = call.media.heard();
  return { rateHz, samples: Float64Array.from(samples) };
}
