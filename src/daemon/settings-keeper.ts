import type { ReadinessCheck } from '../http/admin-listener.js';
import { SettingsClient } from '../whatsapp/settings/settings-client.js';
import { SettingsWatch, type SettingsStatus } from '../whatsapp/settings/settings-watch.js';
import type { GraphClient } from '../whatsapp/graph-client.js';
import type { Base } from './base.js';

/** Brings Meta's settings of the numbers to what the file wants, watches them, and shows how they stand. */
export function createSettingsWatch(
  { config, clock, logger, metrics, events }: Base,
  graph: GraphClient,
): SettingsWatch {
  const watch: SettingsWatch = new SettingsWatch({
    ...{ client: new SettingsClient(graph), numbers: config.numbers, clock, logger },
    ...config.settings,
    onChange: (data) => events.publish({ type: 'settings', data }),
  });
  const known = (): SettingsStatus[] => watch.statuses().filter(({ state }) => state !== 'unknown');
  metrics.probe({ settings: () => known().map(({ number, changes }) => ({ number, differing: changes.length })) });
  return watch;
}

/** For information only: calls go on whatever Meta holds. */
export function settingsChecks(watch: SettingsWatch): ReadinessCheck[] {
  return watch.statuses().map(({ number, state, changes }) => {
    const paths = changes.map(({ path }) => path).join(' ');
    return { name: `settings ${number}`, ok: true, detail: paths === '' ? state : `${state}: ${paths}` };
  });
}
