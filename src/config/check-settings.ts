import { isIP } from 'node:net';
import type { DesiredCalling, SettingsServer } from '../routing/calling-settings.js';
import type { CallHours } from '../routing/types.js';
import { checkCallHours, type CallHoursContext } from './check-call-hours.js';
import type { Findings, KeyPath } from './issue.js';
import type { CallingItem } from './settings-schema.js';

/** What a number's settings are checked with. */
export interface SettingsContext extends CallHoursContext {
  /** The number's calls come by webhook to this bridge. */
  readonly isOnGraph: boolean;
}

/** Meta's rules that join several settings (settings page), and those that would stop this bridge; and what is wanted of Meta. */
export function checkSettings(written: CallingItem, path: KeyPath, context: SettingsContext): DesiredCalling {
  const { restrictions, call_hours: hours, sip, voicemail, ...plain } = written;
  warnReadOnly(restrictions, [...path, 'restrictions'], context);
  const servers = checkServers(sip?.servers, [...path, 'sip', 'servers'], context);
  checkSip(sip?.status, servers, path, context);
  checkKeyExchange(written, path, context);
  checkVoicemail(written, path, context);
  const call_hours = hours && checkCallHours(hours, [...path, 'call_hours'], context);
  return withoutAbsent({
    ...plain,
    ...{ call_hours, voicemail },
    sip: sip && withoutAbsent({ ...sip, servers }),
  }) as DesiredCalling;
}

/** The call hours as calls are routed by. */
export function callHoursOf({ call_hours: hours }: DesiredCalling): CallHours | undefined {
  if (!hours) return undefined;
  const { status, timezone_id: timezoneId, weekly_operating_hours: weekly, holiday_schedule: holidays = [] } = hours;
  return {
    ...{ status, timezoneId },
    weekly: weekly.map((entry) => ({ day: entry.day_of_week, open: entry.open_time, close: entry.close_time })),
    holidays: holidays.map((entry) => ({ date: entry.date, start: entry.start_time, end: entry.end_time })),
  };
}

const withoutAbsent = <T extends object>(block: T): T =>
  Object.fromEntries(Object.entries(block).filter(([, value]) => value !== undefined)) as T;

function warnReadOnly(written: unknown, path: KeyPath, { findings }: SettingsContext): void {
  if (written === undefined) return;
  findings.warn(path, { message: "is Meta's to write, so it is never sent", cure: 'remove it' }, 'key');
}

type WrittenServers = NonNullable<CallingItem['sip']>['servers'];

/** The servers that Meta shall have: where nothing is pushed, a list that Meta would not take is the bridge's own trunk alone. */
function checkServers(written: WrittenServers, path: KeyPath, context: SettingsContext): SettingsServer[] | undefined {
  const { findings, isPushed } = context;
  if (isPushed && written && written.length > 1) {
    const message = 'is one more than the server that Meta keeps for a number';
    findings.error([...path, 1], { message, cure: 'keep one, or make them a trunk' });
  }
  const servers = written?.map(({ app_id, sip_user_password, ...server }, index) => {
    const at = [...path, index];
    warnReadOnly(app_id, [...at, 'app_id'], context);
    warnReadOnly(sip_user_password, [...at, 'sip_user_password'], context);
    if (isPushed && isIP(server.hostname) !== 0) {
      const cure = 'write its host name, or settings.push: off if Meta is not to know it';
      findings.error([...at, 'hostname'], { message: 'is an address, and Meta takes names only', cure });
    }
    return withoutAbsent(server) as SettingsServer;
  });
  const isForMeta = isPushed || servers?.every(({ hostname }) => servers.length === 1 && isIP(hostname) === 0);
  return isForMeta ? servers : undefined;
}

function checkSip(
  status: string | undefined,
  servers: readonly SettingsServer[] | undefined,
  path: KeyPath,
  { findings, isOnGraph }: SettingsContext,
): void {
  if (status !== 'ENABLED') return;
  const place = [...path, 'sip', 'status'];
  if (isOnGraph) {
    const message = 'would stop Graph calls and call webhooks of this number, which signaling: graph relies on';
    findings.error(place, { message, cure: 'write DISABLED, or leave it out' });
  } else if (servers?.length === 0) {
    findings.error(place, { message: 'needs a server', cure: 'add one to sip.servers' });
  }
}

function checkKeyExchange(
  { srtp_key_exchange_protocol: protocol, sip }: CallingItem,
  path: KeyPath,
  { findings }: SettingsContext,
): void {
  if (protocol !== 'SDES' || sip?.status === 'ENABLED') return;
  const message = 'SDES needs SIP: sip.status is not ENABLED';
  findings.error([...path, 'srtp_key_exchange_protocol'], { message, cure: 'write DTLS, or leave it out' });
}

function checkVoicemail(
  { voicemail, call_hours: hours }: CallingItem,
  path: KeyPath,
  { findings }: SettingsContext,
): void {
  if (!voicemail) return;
  const place = [...path, 'voicemail'];
  checkTriggers(voicemail, place, findings);
  if (voicemail.status === 'ENABLED' && hours?.status === 'ENABLED') {
    const message = 'is advised against by Meta while call_hours are ENABLED: outside them nobody can leave a message';
    findings.warn([...place, 'status'], { message, cure: 'write call_hours.status: DISABLED, or no voicemail' });
  }
}

function checkTriggers(voicemail: NonNullable<CallingItem['voicemail']>, path: KeyPath, findings: Findings): void {
  const { status, triggers = status === 'ENABLED' ? [] : undefined, audio } = voicemail;
  if (triggers?.length === 0 && !findings.hasErrorOnTheWayTo([...path, 'triggers'])) {
    findings.error([...path, 'triggers'], { message: 'needs at least one', cure: 'write [REJECT], [TIMEOUT] or both' });
  }
  if (triggers?.includes('TIMEOUT') && audio?.default?.timeout_seconds === undefined) {
    const key = [...path, 'audio', 'default', 'timeout_seconds'];
    findings.error(key, { message: 'is needed for the trigger TIMEOUT', cure: 'write 0 to 30' });
  }
}
