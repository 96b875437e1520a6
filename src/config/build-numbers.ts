import type { E164 } from '../lib/ids.js';
import type { Trunk, WaNumber } from '../routing/types.js';
import type { TrunkContext } from './build-trunks.js';
import { settingsTrunk } from './build-trunks.js';
import { readCallHours } from './call-hours.js';
import { didYouMean } from './did-you-mean.js';
import { oneOf } from './formats.js';
import type { Findings, KeyPath } from './issue.js';
import type { Item } from './lists.js';
import { isBlock, read } from './lists.js';
import type { NumberItem, SettingsServerItem } from './list-schemas.js';
import { settingsServerSchema } from './list-schemas.js';
import { toE164 } from './phone-formats.js';

/** What numbers are built from. */
export interface NumberContext extends TrunkContext {
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
    const settings = readSettings(value, [...path, 'settings'], context.findings);
    const own = value.trunk === undefined ? trunkOfSettings(name, path, settings.servers, context) : undefined;
    if (own) settingsTrunks.push(own);
    if (value.trunk !== undefined) checkTrunkName([...path, 'trunk'], value.trunk, context);
    return {
      id: value.id,
      number: (toE164(value.number) ?? value.number) as E164,
      name,
      signaling: value.signaling ?? 'graph',
      permission: permissionOf(value, own, context),
      trunk: value.trunk ?? own?.name,
      callHours: settings.callHours,
      settings: value.settings,
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

function trunkOfSettings(
  name: string,
  path: KeyPath,
  servers: readonly Item<SettingsServerItem>[] | 'bad',
  context: NumberContext,
): Trunk | undefined {
  const unclear = ['trunk', 'settings'].some((key) => context.findings.isFaulty([...path, key]));
  if (servers === 'bad' || unclear) return undefined;
  if (servers.length > 0) return settingsTrunk(name, servers, context);
  const message = 'has neither a trunk nor SIP servers in its settings';
  const cure = 'add trunk: NAME, or settings.calling.sip.servers with a hostname';
  context.findings.error(path, { message, cure });
  return undefined;
}

/** What the bridge itself needs of a number's settings. The settings as a whole are checked where they are pushed. */
function readSettings(
  number: NumberItem,
  path: KeyPath,
  findings: Findings,
): Pick<WaNumber, 'callHours'> & { servers: Item<SettingsServerItem>[] | 'bad' } {
  const calling = block(number.settings?.['calling'], [...path, 'calling'], findings);
  const callingPath = [...path, 'calling'];
  checkStatus(calling['status'], [...callingPath, 'status'], findings);
  const sip = block(calling['sip'], [...callingPath, 'sip'], findings);
  const sipPath = [...callingPath, 'sip'];
  checkStatus(sip['status'], [...sipPath, 'status'], findings);
  if (sip['status'] === 'ENABLED' && number.signaling !== 'sip') {
    const message = 'would stop Graph calls and call webhooks of this number, which signaling: graph relies on';
    findings.error([...sipPath, 'status'], { message, cure: 'write DISABLED, or leave it out' });
  }
  return {
    callHours: readCallHours(calling['call_hours'], [...callingPath, 'call_hours'], findings),
    servers: readServers(sip['servers'], [...sipPath, 'servers'], findings),
  };
}

function readServers(written: unknown, path: KeyPath, findings: Findings): Item<SettingsServerItem>[] | 'bad' {
  if (written === undefined || written === null) return [];
  if (!Array.isArray(written)) {
    findings.error(path, { message: 'must be a list', cure: 'begin each server with "- "' });
    return 'bad';
  }
  const good = written.flatMap((item: unknown, index) => {
    const below = [...path, index];
    const value = read(item, below, settingsServerSchema, findings);
    return value === undefined ? [] : [{ path: below, value }];
  });
  return good.length === written.length ? good : 'bad';
}

function checkStatus(written: unknown, path: KeyPath, findings: Findings): void {
  const complaint = written === undefined ? undefined : oneOf('ENABLED', 'DISABLED').complaint(written);
  if (complaint) findings.error(path, complaint);
}

function block(written: unknown, path: KeyPath, findings: Findings): Record<string, unknown> {
  if (isBlock(written)) return written;
  if (written !== undefined)
    findings.error(path, { message: 'must be a block of keys', cure: 'indent its keys below it, or remove it' });
  return {};
}
