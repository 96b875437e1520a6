import { todayIn } from '../../routing/today.js';
import type { WaNumber } from '../../routing/types.js';
import { settingsDifference } from '../../whatsapp/settings/settings-difference.js';
import { isBlock, type Block } from '../../whatsapp/settings/settings-fields.js';
import { failed, ok, skipped, warning, type Check, type Finding } from './check.js';
import type { DoctorScope } from './doctor-scope.js';
import { metaFault, metaFaultElsewhere, newToken } from './meta-fault.js';
import type { HealthEntity, TokenFacts } from './meta-questions.js';

const neededScopes = ['whatsapp_business_management', 'whatsapp_business_messaging'] as const;
const dayMs = 86_400_000;
/** A token that ends sooner is told of. */
const soonDays = 7;

/** Checks of the credentials and the clock, which hold for all numbers. */
export function accountChecks(scope: DoctorScope): Check[] {
  return [
    { name: 'access token', run: () => tokenCheck(scope) },
    { name: 'clock', run: () => clockCheck(scope) },
  ];
}

/** What Meta holds of one number. */
export function numberChecks(scope: DoctorScope, number: WaNumber): Check[] {
  const { name } = number;
  return [
    { name: `number ${name}`, run: () => existenceCheck(scope, number) },
    { name: `health ${name}`, run: () => healthCheck(scope, number) },
    { name: `calling ${name}`, run: () => callingCheck(scope, number) },
    { name: `signaling ${name}`, run: () => signalingCheck(scope, number) },
    { name: `settings ${name}`, run: () => driftCheck(scope, number) },
  ];
}

async function tokenCheck({ meta, clock }: DoctorScope): Promise<Finding> {
  let token: TokenFacts;
  try {
    token = await meta.token();
  } catch (error) {
    return metaFault(error, 'the token cannot be looked at', { isTokens: true });
  }
  if (!token.is_valid) return failed('Meta says that it is not valid', newToken);
  const missing = neededScopes.filter((scope) => !token.scopes.includes(scope));
  const cure = 'make a new token with it in Business settings, System users';
  if (missing.length > 0) return failed(`it lacks ${missing.join(' and ')}`, cure);
  const app = token.application === undefined ? '' : `, app ${token.application}`;
  const endsS = [token.expires_at, token.data_access_expires_at].filter((one) => one !== undefined && one > 0);
  if (endsS.length === 0) return ok(`valid, both WhatsApp permissions, does not expire${app}`);
  const days = Math.floor((Math.min(...(endsS as number[])) * 1000 - clock.now()) / dayMs);
  const detail = `valid, both WhatsApp permissions, expires in ${days} ${days === 1 ? 'day' : 'days'}${app}`;
  return days < soonDays ? warning(detail, 'use a token of a system user, which does not expire') : ok(detail);
}

const skewLimits = { warningMs: 5_000, failedMs: 60_000 };

async function clockCheck({ meta }: DoctorScope): Promise<Finding> {
  await meta.firstAnswer();
  const { skewMs } = meta;
  if (skewMs === undefined) return skipped('Meta gave no time to compare with');
  const size = Math.abs(skewMs);
  if (size <= skewLimits.warningMs) return ok(size < 1000 ? 'as Meta’s' : `${(size / 1000).toFixed(1)} s from Meta’s`);
  const detail = `${Math.round(size / 1000)} s ${skewMs > 0 ? 'ahead of' : 'behind'} Meta’s`;
  const cure = 'run a time service (chrony, systemd-timesyncd)';
  return size > skewLimits.failedMs ? failed(detail, cure) : warning(detail, cure);
}

async function existenceCheck({ meta }: DoctorScope, number: WaNumber): Promise<Finding> {
  try {
    const shown = (await meta.number(number.id)).display_phone_number;
    const theirs = `+${shown.replace(/\D/g, '')}`;
    if (theirs === number.number) return ok(`${number.id} is ${number.number}`);
    return failed(
      `${number.id} is ${theirs} at Meta, ${number.number} in the file`,
      'put the id that belongs to the number there: WhatsApp Manager, Phone numbers',
    );
  } catch (error) {
    return metaFault(error, `${number.id} cannot be looked at`, { isNumbers: true });
  }
}

async function healthCheck({ meta }: DoctorScope, number: WaNumber): Promise<Finding> {
  let entities: readonly HealthEntity[];
  try {
    entities = await meta.health(number.id);
  } catch (error) {
    return metaFault(error, 'health_status');
  }
  const states = entities.map((entity) => ({ entity, state: worst(entity, number) }));
  const bad = states.filter(({ state }) => state !== 'AVAILABLE');
  if (bad.length === 0) return ok(entities.map(({ entity_type: type }) => `${type} AVAILABLE`).join(', '));
  const detail = bad.map(({ entity, state }) => `${entity.entity_type} ${state}${faultsOf(entity)}`).join('; ');
  const solutions = bad.flatMap(({ entity }) => (entity.errors ?? []).flatMap((one) => one.possible_solution ?? []));
  const cure = solutions.length > 0 ? [...new Set(solutions)].join(' ') : 'look at the account in WhatsApp Manager';
  return bad.some(({ state }) => state === 'BLOCKED') ? failed(detail, cure) : warning(detail, cure);
}

/** Calls by SIP matter only to a number that Meta reaches by SIP. */
function worst(entity: HealthEntity, { signaling }: WaNumber): string {
  const said = [entity.can_send_message, signaling === 'sip' ? entity.can_receive_call_sip : undefined];
  return ['BLOCKED', 'LIMITED'].find((state) => said.includes(state)) ?? 'AVAILABLE';
}

function faultsOf({ errors = [] }: HealthEntity): string {
  const texts = errors.map(({ error_code: code, error_description: text }) => `#${code ?? '?'} ${text ?? ''}`.trim());
  return texts.length === 0 ? '' : ` (${texts.join('; ')})`;
}

/** Looks at what Meta holds for a number. */
async function withSettings(
  { meta }: DoctorScope,
  number: WaNumber,
  judge: (calling: Block) => Finding,
  onFault = metaFaultElsewhere,
): Promise<Finding> {
  try {
    return judge(await meta.settings(number.id));
  } catch (error) {
    return onFault(error, 'settings');
  }
}

function callingCheck(scope: DoctorScope, number: WaNumber): Promise<Finding> {
  const judge = (calling: Block): Finding => {
    const held = restrictionsOf(calling);
    if (calling['status'] !== 'ENABLED') {
      const cure = `write settings.calling.status: ENABLED for it and run sip2wa settings apply ${number.name}`;
      const also = held.length === 0 ? '' : `, and Meta holds ${held.join(', ')}`;
      return failed(`calling is not ENABLED at Meta${also}`, cure);
    }
    if (held.length === 0) return ok('ENABLED, no restrictions');
    return failed(
      `ENABLED, but Meta holds ${held.join(', ')}`,
      'see the reason in WhatsApp Manager; it ends by itself',
    );
  };
  return withSettings(scope, number, judge, metaFault);
}

function restrictionsOf({ restrictions }: Block): string[] {
  const list = isBlock(restrictions) ? restrictions['restrictions_list'] : undefined;
  if (!Array.isArray(list)) return [];
  return list.filter(isBlock).map(({ type, reason, expiration }) => {
    const endS = /^\d{1,11}$/.test(String(expiration)) ? Number(expiration) : 0;
    const until = endS > 0 ? ` until ${new Date(endS * 1000).toISOString().slice(0, 16)}Z` : '';
    return `${String(type)}${typeof reason === 'string' ? ` (${reason})` : ''}${until}`;
  });
}

/** While SIP is on, Meta sends no connect webhooks and refuses the calls endpoint with 131055 (its SIP page). */
const signalingCheck = (scope: DoctorScope, number: WaNumber): Promise<Finding> =>
  withSettings(scope, number, ({ sip }) => {
    const status = isBlock(sip) && sip['status'] === 'ENABLED' ? 'ENABLED' : 'DISABLED';
    const detail = `SIP is ${status} at Meta, signaling is ${number.signaling} here`;
    if ((status === 'ENABLED') === (number.signaling === 'sip')) return ok(detail);
    const wanted = status === 'ENABLED' ? 'DISABLED' : 'ENABLED';
    const cure = `write settings.calling.sip.status: ${wanted} for it and run sip2wa settings apply ${number.name}`;
    return failed(`${detail}: calls go elsewhere`, cure);
  });

function driftCheck(scope: DoctorScope, number: WaNumber): Promise<Finding> | Finding {
  const { settings } = number;
  if (settings === undefined) return skipped('the file has no settings for it');
  return withSettings(scope, number, (calling) => {
    const today = todayIn(number.callHours?.timezoneId, scope.clock.now());
    const paths = settingsDifference(settings, calling, today).map(({ path }) => path);
    if (paths.length === 0) return ok('Meta holds what the file wants');
    return warning(`Meta holds otherwise: ${paths.join(', ')}`, `sip2wa settings plan ${number.name}, then apply`);
  });
}
