import { address } from './addresses.js';
import { Asterisk } from './asterisk.js';
import type { TrunkOptions } from './asterisk-trunk.js';
import { Bridge, type BridgeOptions } from './bridge.js';
import { Baresip, type BaresipOptions } from './baresip.js';
import { user } from './meta.js';
import type { Scene } from './scene.js';
import { sine } from './sound.js';
import { listenFor } from './until.js';
import type { Sound } from './wav.js';
import { WhatsAppCall } from './whatsapp-call.js';

/** What a baresip says in these tests. */
export const phoneToneHz = 700;

/** The bridge with a real Asterisk as its PBX. */
export async function startWithAsterisk(
  scene: Scene,
  asteriskOptions: TrunkOptions,
  bridgeOptions: Partial<BridgeOptions>,
): Promise<{ asterisk: Asterisk; bridge: Bridge }> {
  const bridge = await Bridge.start(scene, { pbx: address.asterisk, ...bridgeOptions });
  const place = { address: address.asterisk, trunk: address.bridge, folder: scene.path('asterisk') };
  return { asterisk: scene.add(await Asterisk.start({ ...place, ...asteriskOptions })), bridge };
}

/** Asterisk calls a user, who picks up; both speak, Asterisk hangs up, and nothing is left of it. What the user heard. */
export async function asteriskCallsUser(scene: Scene, asterisk: Asterisk, bridge: Bridge): Promise<Sound> {
  const call = await WhatsAppCall.toUser(scene, bridge);
  await asterisk.callOut(`00${user}`);
  await call.ringsAndPicksUp();
  await listenFor(1_500);
  await asterisk.hangupAll();
  await bridge.meta.request('terminate');
  await asterisk.idle(5_000);
  await bridge.idle(5_000);
  return (await call.judge()).heard;
}

/** A phone that answers at once and says its tone. */
export async function startPhone(
  scene: Scene,
  name: string,
  options: Partial<Omit<BaresipOptions, 'user'>> = {},
): Promise<Baresip> {
  return scene.add(
    await Baresip.start({
      address: address.baresip,
      folder: scene.path(`baresip-${name}`),
      user: name,
      codecs: 'pcma',
      answer: 'auto',
      play: sine(phoneToneHz, 30_000, 8_000),
      ...options,
    }),
  );
}
