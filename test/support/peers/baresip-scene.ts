import { address } from './addresses.js';
import { phoneToneHz, startPhone } from './asterisk-scene.js';
import type { Baresip, BaresipOptions } from './baresip.js';
import { Bridge } from './bridge.js';
import { expectTone } from './hearing.js';
import { business, user } from './meta.js';
import type { Scene } from './scene.js';
import { userToneHz, WhatsAppCall } from './whatsapp-call.js';

/** A phone in place of a PBX, and its call with a WhatsApp user. */
export interface PhoneScene {
  readonly bridge: Bridge;
  readonly phone: Baresip;
  readonly call: WhatsAppCall;
}

interface PhoneSceneOptions {
  /** More keys of the trunk, as lines of YAML. */
  readonly trunk?: string;
  readonly phone?: Partial<Omit<BaresipOptions, 'user'>>;
}

/** The bridge, and a phone as its trunk. */
export async function startWithPhone(
  scene: Scene,
  { trunk, phone = {} }: PhoneSceneOptions = {},
): Promise<Omit<PhoneScene, 'call'>> {
  const bridge = await Bridge.start(scene, { pbx: address.baresip, ...(trunk !== undefined && { trunk }) });
  return { bridge, phone: await startPhone(scene, `+${business.number}`, phone) };
}

/** A user calls the phone, which picks up. */
export async function userCallsPhone(scene: Scene, options?: PhoneSceneOptions): Promise<PhoneScene> {
  const { bridge, phone } = await startWithPhone(scene, options);
  const call = await WhatsAppCall.fromUser(scene, bridge);
  await call.preAccepted();
  await call.accepted();
  await phone.event('CALL_ESTABLISHED', 5_000);
  return { bridge, phone, call };
}

/** The phone calls a user, who picks up. */
export async function phoneCallsUser(scene: Scene, options?: PhoneSceneOptions): Promise<PhoneScene> {
  const { bridge, phone } = await startWithPhone(scene, options);
  const call = await WhatsAppCall.toUser(scene, bridge);
  await phone.command('dial', `sip:+${user}@${address.bridge}:5060`);
  await call.ringsAndPicksUp();
  await phone.event('CALL_ESTABLISHED', 5_000);
  return { bridge, phone, call };
}

/** After two seconds of talk: each heard the other's tone. */
export async function expectBothHeard({ call, phone }: Pick<PhoneScene, 'call' | 'phone'>): Promise<void> {
  expectTone((await call.judge()).heard, phoneToneHz, 1_500);
  expectTone(await phone.heard(), userToneHz, 1_500);
}
