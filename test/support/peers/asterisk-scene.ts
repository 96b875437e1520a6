import { address } from './addresses.js';
import { Asterisk } from './asterisk.js';
import type { TrunkOptions } from './asterisk-trunk.js';
import { Bridge, type BridgeOptions } from './bridge.js';
import { Baresip, type BaresipOptions } from './baresip.js';
import type { Scene } from './scene.js';
import { sine } from './sound.js';

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

/** A phone that answers at once and says its tone. */
export async function startPhone(
  scene: Scene,
  user: string,
  options: Partial<Omit<BaresipOptions, 'user'>> = {},
): Promise<Baresip> {
  return scene.add(
    await Baresip.start({
      address: address.baresip,
      folder: scene.path(`baresip-${user}`),
      user,
      codecs: 'pcma',
      answer: 'auto',
      play: sine(phoneToneHz, 30_000, 8_000),
      ...options,
    }),
  );
}
