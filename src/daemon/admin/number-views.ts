import type { NumberOut } from '../../http/api/schemas.js';
import { given } from '../../lib/given.js';
import { explainHours } from '../../routing/call-hours.js';
import { shownTime } from '../../routing/local-time.js';
import { nextChange } from '../../routing/next-change.js';
import type { WaNumber } from '../../routing/types.js';
import type { SettingsStatus } from '../../whatsapp/settings/settings-watch.js';

export interface NumberFacts {
  readonly settings: readonly SettingsStatus[];
  /** Live calls of a number, by its name. */
  readonly callsOf: (number: string) => number;
  /** Unix milliseconds. */
  readonly nowMs: number;
}

/** Business numbers as the admin API shows them. */
export const numberViews = (numbers: readonly WaNumber[], facts: NumberFacts): NumberOut[] =>
  numbers.map((number) => {
    const { id, name, trunk, signaling, permission } = number;
    return {
      ...{ id, name, number: number.number, ...given('trunk', trunk), signaling, permission },
      calls: facts.callsOf(name),
      calling: callingOf(number),
      settings: settingsOf(number, facts.settings),
      hours: hoursOf(number, facts.nowMs),
    };
  });

function callingOf({ settings }: WaNumber): NumberOut['calling'] {
  if (settings?.status === undefined) return 'unmanaged';
  return settings.status === 'ENABLED' ? 'on' : 'off';
}

function settingsOf({ id, settings }: WaNumber, statuses: readonly SettingsStatus[]): NumberOut['settings'] {
  if (settings === undefined) return { state: 'unmanaged', differing: [] };
  const known = statuses.find(({ numberId }) => numberId === id);
  // JSON has no undefined: what Meta says nothing of is null.
  const differing = known?.changes.map(({ path, from, to }) => ({ path, from: from ?? null, to: to ?? null }));
  return { state: known?.state ?? 'unknown', differing: differing ?? [] };
}

function hoursOf({ callHours }: WaNumber, nowMs: number): NumberOut['hours'] {
  const { isOpen, why, local } = explainHours(callHours, nowMs);
  const change = nextChange(callHours, nowMs);
  const next = change &&
    local && {
      at: new Date(change.atMs).toISOString(),
      local: shownTime(change.atMs, local.timezoneId),
      state: change.opens ? ('open' as const) : ('closed' as const),
    };
  return { open: isOpen, why, ...given('timezone', local?.timezoneId), ...given('next', next) };
}
