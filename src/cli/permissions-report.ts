import type { WaNumber } from '../routing/types.js';
import { userText, type UserAddress } from '../routing/user-address.js';
import type { GraphError } from '../whatsapp/graph-error.js';
import {
  freeAtMs,
  limitText,
  periodText,
  SEND_REQUEST,
  START_CALL,
  type ActionAnswer,
  type PermissionAnswer,
} from '../whatsapp/permissions/permission-answer.js';
import type { RequestMessage } from '../whatsapp/permissions/permission-api.js';
import { facts, summaryLine, table } from './table.js';

type Json = Readonly<Record<string, unknown>>;

/** Whose permission to call whom. */
export interface PermissionParties {
  readonly number: WaNumber;
  readonly user: UserAddress;
}

/** `permissions get`, for people. Times are local. */
export function answerText(parties: PermissionParties, answer: PermissionAnswer, nowMs: number): string {
  const { status, statusText, expiresAtMs, actions } = answer;
  const isKnown = status === statusText.toLowerCase();
  const about = facts([
    ...partiesFacts(parties),
    ['Permission', isKnown ? status : `${plain(statusText) || 'nothing'}, which counts as ${status}`],
    ...(expiresAtMs === undefined ? [] : [['Expires', timeText(expiresAtMs, nowMs)] as const]),
  ]);
  const rows = [...actions].flatMap(([name, action]) => actionRows(name, action, nowMs));
  const listed = rows.length > 0 ? table(['Action', 'Allowed', 'Used', 'Period', 'FreeAt', 'FreeIn'], rows) : '';
  return [about, listed].filter((part) => part !== '').join('\n');
}

function partiesFacts({ number, user }: PermissionParties): (readonly [string, string])[] {
  return [
    ['Number', `${number.name}, ${number.number}, id ${number.id}`],
    ['User', userText(user)],
  ];
}

/** Meta's names are too long for a table; others are shown as they are. */
const actionNames: Readonly<Record<string, string>> = {
  [SEND_REQUEST]: 'ask for permission',
  [START_CALL]: 'call',
};

/** One line for each limit; the action's own words on the first. */
function actionRows(name: string, { can, limits }: ActionAnswer, nowMs: number): string[][] {
  const head = [actionNames[name] ?? plain(name), can ? 'yes' : 'no'];
  if (limits.length === 0) return [[...head, '', '', '', '']];
  return limits.map(({ period, max, used, endsAtMs }, index) => [
    ...(index === 0 ? head : ['', '']),
    `${used ?? '?'} of ${max ?? '?'}`,
    plain(periodText(period)),
    ...(endsAtMs === undefined ? ['', ''] : [minuteText(endsAtMs), spanText(endsAtMs - nowMs)]),
  ]);
}

/** `permissions get --json`. */
export function answerJson(parties: PermissionParties, answer: PermissionAnswer): Json {
  const { status, statusText, expiresAtMs, actions } = answer;
  return {
    ok: true,
    ...partiesJson(parties),
    permission: { status, statusText, ...(expiresAtMs !== undefined && { expiresAt: iso(expiresAtMs) }) },
    actions: [...actions].map(([action, { can, limits }]) => ({
      action,
      can,
      limits: limits.map(({ period, max, used, endsAtMs }) => ({
        ...{ period, max: max ?? null, used: used ?? null },
        ...(endsAtMs !== undefined && { endsAt: iso(endsAtMs) }),
      })),
    })),
  };
}

const partiesJson = ({ number: { name, id, number }, user }: PermissionParties): Json => ({
  number: { name, id, number },
  user: { ...user },
});

/** Why Meta does not let a user be asked, and when it will. */
export function refusedText(answer: PermissionAnswer, nowMs: number): string {
  if (answer.status === 'permanent') return 'the user has given permission for good; there is nothing to ask for';
  const action = answer.actions.get(SEND_REQUEST);
  const limit = action ? plain(limitText(action)) : '';
  const free = action && freeAtMs(action);
  return `Meta allows no request now${limit}${free === undefined ? '' : `, again ${timeText(free, nowMs)}`}`;
}

/** `permissions request`, for people. */
export function sentText(parties: PermissionParties, message: RequestMessage, messageId: string): string {
  const how = message.kind === 'text' ? `text: ${message.text}` : `template ${message.name}, ${message.language}`;
  const about = facts([...partiesFacts(parties), ['Message', how], ['MessageId', plain(messageId)]]);
  return `${about}\n${summaryLine('Permission was asked for; the answer comes by webhook.')}`;
}

/** `permissions request --json`. */
export function sentJson(parties: PermissionParties, message: RequestMessage, messageId: string): Json {
  return { ok: true, ...partiesJson(parties), message, messageId };
}

/** What Meta said, with its code; or what was in the way to it. */
export function errorText({ metaCode, title, details, message }: GraphError): string {
  if (metaCode === undefined) return plain(message);
  const said = plain(title ?? message);
  const more = details === undefined || details === title ? '' : `: ${plain(details)}`;
  return said.includes(String(metaCode)) ? `${said}${more}` : `(#${metaCode}) ${said}${more}`;
}

export function errorJson({ fault, httpStatus, metaCode, metaSubcode, title, details, message }: GraphError): Json {
  return { ok: false, error: { fault, httpStatus, metaCode, metaSubcode, title, details, message } };
}

/** Meta's words go to a terminal: no control or format characters. */
const plain = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();

const LATEST_MS = 8.64e15;

const iso = (ms: number): string | null => (ms > LATEST_MS ? null : new Date(ms).toISOString());

const localTime = new Intl.DateTimeFormat('sv-SE', {
  ...{ year: 'numeric', month: '2-digit', day: '2-digit' },
  ...{ hour: '2-digit', minute: '2-digit', second: '2-digit', timeZoneName: 'shortOffset' },
});

/** Local time without seconds and zone. */
const minuteText = (ms: number): string => (ms > LATEST_MS ? 'never' : localTime.format(ms).slice(0, 16));

/** Local time, and how long it is till then or since then. */
function timeText(ms: number, nowMs: number): string {
  if (ms > LATEST_MS) return 'never';
  const span = spanText(ms - nowMs);
  return `${localTime.format(ms)} (${ms < nowMs ? `${span} ago` : `in ${span}`})`;
}

/** `6 days 23 hours`, whatever the sign. */
function spanText(ms: number): string {
  const minutes = Math.round(Math.abs(ms) / 60_000);
  const parts = [
    [Math.floor(minutes / 1440), 'day'],
    [Math.floor((minutes % 1440) / 60), 'hour'],
    [minutes % 60, 'minute'],
  ] as const;
  const said = parts.flatMap(([count, unit]) => (count === 0 ? [] : `${count} ${unit}${count === 1 ? '' : 's'}`));
  return said.length === 0 ? 'less than a minute' : said.slice(0, 2).join(' ');
}
