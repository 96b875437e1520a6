import type { E164 } from '../lib/ids.js';
import type { Trunk, WaNumber } from '../routing/types.js';
import type { TrunkContext } from './build-trunks.js';
import { settingsTrunk } from './build-trunks.js';
import type { DesiredCalling } from '../routing/calling-settings.js';
import { callHoursOf, checkSettings, type SettingsContext } from './check-settings.js';
import { didYouMean } from './did-you-mean.js';
import type { Findings, KeyPath } from './issue.js';
import type { Item } from './lists.js';
import type { NumberItem } from './list-schemas.js';
import { REAL_ID, toE164 } from './phone-formats.js';
import type { SettingsServerItem } from './settings-schema.js';

/** What numbers are built from. */
export interface NumberContext extends TrunkContext, Pick<SettingsContext, 'isPushed' | 'todayIn'> {
  /** Names of the trunks in the file, those with errors included. */
  readonly trunkNames: readonly string[];
  /** What a trunk of the file says of permissions. */
  readonly trunkPermission: (name: string | undefined) => WaNumber['permission'] | undefined;
}

/** Builds the numbers, and a trunk for each that is served by its settings alone. */
export function buildNumbers(
  items: readonly Item<NumberItem>[],
  context: NumberContext,
): { numbers: WaNumber[]; settingsTrunks: Trunk[] } {
  const settingsTrunks: Trunk[] = [];
  const numbers = items.map(({ path, value }) => {
    const name = value.name ?? value.id;
    refuseUnbuilt(path, value, context.findings);
    checkId(path, value, context.findings);
    const settings = settingsOf(value, path, context);
    const own = value.trunk === undefined ? trunkOfSettings(name, path, value, context) : undefined;
    if (own) settingsTrunks.push(own);
    if (value.trunk !== undefined) checkTrunkName([...path, 'trunk'], value.trunk, context);
    return {
      id: value.id,
      number: (toE164(value.number) ?? value.number) as E164,
      name,
      signaling: value.signaling ?? 'graph',
      permission: permissionOf(value, own, context),
      trunk: value.trunk ?? own?.name,
      callHours: settings && callHoursOf(settings),
      settings,
    };
  });
  return { numbers, settingsTrunks };
}

/** The number's own word, else its trunk's. */
function permissionOf(value: NumberItem, own: Trunk | undefined, context: NumberContext): WaNumber['permission'] {
  return value.permission ?? own?.permission ?? context.trunkPermission(value.trunk) ?? 'none';
}

/** Reports a trunk's name that is not in the file. */
export function checkTrunkName(
  path: KeyPath,
  name: string,
  context: Pick<NumberContext, 'trunkNames' | 'findings'>,
): void {
  if (context.trunkNames.includes(name)) return;
  context.findings.error(path, {
    message: 'names no trunk of this file',
    cure: nameCure(name, context.trunkNames, 'trunks'),
  });
}

/** Says which names there are. */
export function nameCure(name: string, known: readonly string[], list: string): string {
  const near = didYouMean(name, known);
  if (near) return `did you mean ${near}?`;
  return known.length > 0 ? `write one of: ${known.join(', ')}` : `add it under ${list}`;
}

function refuseUnbuilt(path: KeyPath, number: NumberItem, findings: Findings): void {
  if (number.signaling === 'sip') {
    const message = 'sip is reserved: calls that Meta signals by SIP itself are not in this version';
    findings.error([...path, 'signaling'], { message, cure: 'write signaling: graph' });
  }
}

/** Digits that are the telephone number's own are taken for Meta's id of it by mistake. */
function checkId(path: KeyPath, { id, number }: NumberItem, findings: Findings): void {
  if (id === '' || toE164(number) !== `+${id}`) return;
  findings.error([...path, 'id'], { message: "is the number itself, not Meta's id of it", cure: REAL_ID });
}

function settingsOf(number: NumberItem, path: KeyPath, context: NumberContext): DesiredCalling | undefined {
  const { findings, isPushed, todayIn } = context;
  const calling = number.settings?.calling;
  if (number.settings === undefined) return undefined;
  const isOnGraph = number.signaling !== 'sip';
  return checkSettings(calling ?? {}, [...path, 'settings', 'calling'], { isOnGraph, isPushed, todayIn, findings });
}

function trunkOfSettings(name: string, path: KeyPath, number: NumberItem, context: NumberContext): Trunk | undefined {
  const place = [...path, 'settings', 'calling', 'sip', 'servers'];
  const { findings } = context;
  if (findings.isFaulty([...path, 'trunk']) || findings.hasErrorOnTheWayTo(place)) return undefined;
  const servers = serversOf(number).map((value, index) => ({ path: [...place, index], value }));
  if (servers.length > 0) return settingsTrunk(name, servers, context);
  const message = 'has neither a trunk nor SIP servers in its settings';
  const cure = 'add trunk: NAME, or settings.calling.sip.servers with a hostname';
  context.findings.error(path, { message, cure });
  return undefined;
}

const serversOf = (number: NumberItem): readonly SettingsServerItem[] => number.settings?.calling?.sip?.servers ?? [];
