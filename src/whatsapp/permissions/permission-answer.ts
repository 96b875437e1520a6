import { z } from 'zod';
import type { PermissionStatus } from './permission-state.js';

/** One limit of an action, as Meta last said it. */
export interface ActionLimit {
  /** ISO 8601 period: `PT24H`, `P7D`. */
  readonly period: string;
  readonly max: number | undefined;
  readonly used: number | undefined;
  /** When a limit that is used up is free again, milliseconds since the Unix epoch; Meta gives it only for those. */
  readonly endsAtMs: number | undefined;
}

/** Whether an action may be taken now, all limits taken into account. */
export interface ActionAnswer {
  readonly can: boolean;
  readonly limits: readonly ActionLimit[];
}

/** The actions of a permission answer that we know how to use; there may be others. */
export const START_CALL = 'start_call';
export const SEND_REQUEST = 'send_call_permission_request';

/** What Meta says of a user's permission (`GET /<PHONE_NUMBER_ID>/call_permissions`). */
export interface PermissionAnswer {
  readonly status: PermissionStatus;
  /** The status as written; an unknown one counts as `no_permission`. */
  readonly statusText: string;
  readonly expiresAtMs: number | undefined;
  /** By `action_name`. */
  readonly actions: ReadonlyMap<string, ActionAnswer>;
}

/** More actions or limits than this are not Meta's. */
const LIST_CAP = 32;

const text = z
  .string()
  .transform((value) => value.slice(0, 64))
  .optional()
  .catch(undefined);
const count = z
  .union([z.number().nonnegative(), z.string().regex(/^\d{1,15}$/)])
  .transform(Number)
  .optional()
  .catch(undefined);
/** Unix seconds, as a number or a string; some senders use milliseconds. */
const time = z
  .union([z.number().nonnegative(), z.string().regex(/^\d{1,16}$/)])
  .transform((value) => (Number(value) > 1e11 ? Number(value) : Number(value) * 1000))
  .optional()
  .catch(undefined);
const flag = z.union([z.boolean(), z.stringbool()]).optional().catch(undefined);
const list = z
  .array(z.unknown())
  .transform((items) => items.slice(0, LIST_CAP))
  .optional()
  .catch(undefined);

const limitSchema = z.object({
  time_period: text,
  max_allowed: count,
  current_usage: count,
  limit_expiration_time: time,
});
const actionSchema = z.object({ action_name: text, can_perform_action: flag, limits: list });

/**
 * Meta's answer to a look-up, read liberally: its sample and its table of fields disagree on the name of the expiry, and
 * numbers may be strings. Only a `permission` object has to be there.
 */
export const permissionAnswerSchema = z
  .object({
    permission: z.object({ status: text, expiration_time: time, expiration: time }),
    actions: list,
  })
  .transform(({ permission, actions }): PermissionAnswer => {
    const statusText = permission.status ?? '';
    return {
      status: statusOf(statusText),
      statusText,
      expiresAtMs: permission.expiration_time ?? permission.expiration,
      actions: new Map((actions ?? []).flatMap(actionOf)),
    };
  });

function statusOf(written: string): PermissionStatus {
  const word = written.toLowerCase();
  return word === 'temporary' || word === 'permanent' ? word : 'no_permission';
}

/** An action without `can_perform_action` says nothing. */
function actionOf(item: unknown): [string, ActionAnswer][] {
  const { action_name: name, can_perform_action: can, limits = [] } = actionSchema.safeParse(item).data ?? {};
  if (name === undefined || can === undefined) return [];
  return [[name.toLowerCase(), { can, limits: limits.flatMap(limitOf) }]];
}

function limitOf(item: unknown): ActionLimit[] {
  const limit = limitSchema.safeParse(item).data;
  if (!limit) return [];
  const { time_period: period = '', max_allowed: max, current_usage: used, limit_expiration_time: endsAtMs } = limit;
  return [{ period, max, used, endsAtMs }];
}

/**
 * When an action that cannot be taken may be taken again: when the last of its used-up limits ends, since all of them have to
 * be free. Undefined when Meta does not say.
 */
export function freeAtMs({ limits }: ActionAnswer): number | undefined {
  const ends = limits.flatMap(({ endsAtMs }) => endsAtMs ?? []);
  return ends.length === 0 ? undefined : Math.max(...ends);
}

/** Whether a limit is used up, as far as it says. */
const isUsedUp = ({ endsAtMs, max = Infinity, used = 0 }: ActionLimit): boolean =>
  endsAtMs !== undefined || used >= max;

/** A period in words: `24 hours`, `7 days`; one of another form as it was written. */
export function periodText(period: string): string {
  const [, count, unit] = /^P(?:T(?=\d+H))?(\d{1,6})([HD])$/.exec(period) ?? [];
  if (count === undefined) return period;
  const word = unit === 'H' ? 'hour' : 'day';
  return `${count} ${word}${count === '1' ? '' : 's'}`;
}

/** `: limit of 2 in 7 days`: the limit that is used up; empty when Meta does not say which. */
export function limitText({ limits }: ActionAnswer): string {
  const full = limits.find(isUsedUp);
  if (full?.max === undefined) return '';
  return `: limit of ${full.max}${full.period === '' ? '' : ` in ${periodText(full.period)}`}`;
}

/** How many more times an action may be taken by its limits as they were said; undefined when they do not say. */
export function remaining({ limits }: ActionAnswer): number | undefined {
  const left = limits.flatMap(({ max, used }) => (max === undefined || used === undefined ? [] : max - used));
  return left.length === 0 ? undefined : Math.min(...left);
}
