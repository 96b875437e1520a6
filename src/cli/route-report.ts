import { endReason } from '../call/end-reason.js';
import type { NumberVerdict } from '../routing/number-of-call.js';
import { hoursText, type RouteRequest, type RouteVerdict, type UserCallExplanation } from '../routing/route-explain.js';
import { serverGroups } from '../routing/route-table.js';
import type { TrunkCallExplanation, TrunkCallRequest } from '../routing/trunk-call.js';
import type { SipServer, WaNumber } from '../routing/types.js';
import { requestUri } from '../sip/sip-uri.js';
import { addressFields } from '../whatsapp/graph-client.js';
import { facts, summaryLine, table } from './table.js';

type Json = Readonly<Record<string, unknown>>;

/** One server of the trunk that was chosen, as it would be dialled. */
interface DialledServer {
  readonly priority: number;
  readonly weight: number;
  readonly server: string;
  readonly requestUri: string;
}

/** `route-test` of a user's call, for people. */
export function userCallText(request: RouteRequest, explanation: UserCallExplanation): string {
  const { routes, hours, choice } = explanation;
  const about = facts([
    ['Number', numberText(request.number)],
    ['Caller', request.from ?? 'hides the number'],
    ['Time', iso(request.atMs)],
    ['CallHours', hoursText(hours)],
  ]);
  const routeTable = table(['Route', 'Result', 'Trunk', 'To', 'Why'], routes.map(routeRow));
  const listed = routes.length > 0 ? routeTable : summaryLine('No routes: every call goes to the trunk of its number.');
  if (!choice.ok) {
    const { code, sipStatus } = endReason(choice.code);
    return paragraphs(about, listed, summaryLine(`Not routed (${code}, ${sipStatus}): ${choice.why}.`));
  }
  const dialled = dialledServers(choice.trunk.servers, choice.user);
  const targetRows = dialled.map((one) => [String(one.priority), String(one.weight), one.server, one.requestUri]);
  const targets = table(['Priority', 'Weight', 'Server', 'RequestUri'], targetRows);
  const summary = `Routed by ${choice.by} to trunk ${choice.trunk.name}: ${plural(dialled.length, 'server')}`;
  const order = dialled.length > 1 ? ', lowest priority first, by weight within one.' : '.';
  return paragraphs(about, listed, targets, summaryLine(`${summary}${order}`));
}

/** `route-test --json` of a user's call. */
export function userCallJson({ number, from, atMs }: RouteRequest, explanation: UserCallExplanation): Json {
  const { routes, hours, choice } = explanation;
  return {
    ok: choice.ok,
    direction: 'user_initiated',
    number: numberJson(number),
    from: from ?? null,
    at: iso(atMs),
    callHours: { open: hours.isOpen, why: hours.why, ...(hours.local && { local: hours.local }) },
    routes: routes.map(({ position, result, why, conditions, route }) => ({
      position,
      result,
      why,
      conditions,
      route,
    })),
    ...(choice.ok
      ? { by: choice.by, trunk: choice.trunk.name, targets: dialledServers(choice.trunk.servers, choice.user) }
      : { refusal: refusal(choice.code, choice.why) }),
  };
}

/** `route-test` of a call from a PBX, for people. */
export function trunkCallText(request: TrunkCallRequest, explanation: TrunkCallExplanation): string {
  const { numbers, decision } = explanation;
  const about = facts([
    ['Trunk', request.trunks.join(' or ')],
    ['Dialled', request.calledUser],
    ['Caller', request.callerUser ?? '-'],
    ['X-WA-Number-Id', request.namedNumber ?? '-'],
  ]);
  const listed =
    numbers.length > 0
      ? table(
          ['Number', 'Result', 'Why'],
          numbers.map(({ number, result, why }) => [number.name, result, why]),
        )
      : summaryLine('No numbers.');
  if (!decision.ok) {
    const { code, why } = decision;
    return paragraphs(about, listed, summaryLine(`Refused with ${endReason(code).sipStatus} (${code}): ${why}.`));
  }
  const { number, user } = decision;
  const asked = facts([
    ['Connect', Object.entries(addressFields(user)).flat().join(': ')],
    ['Permission', `${number.permission}: ${PERMISSION_TEXT[number.permission]}`],
  ]);
  return paragraphs(about, listed, asked, summaryLine(`Placed with number ${number.name}, since ${decision.by}.`));
}

/** `route-test --json` of a call from a PBX. */
export function trunkCallJson(request: TrunkCallRequest, { numbers, decision }: TrunkCallExplanation): Json {
  return {
    ok: decision.ok,
    direction: 'business_initiated',
    trunks: request.trunks,
    to: request.calledUser,
    caller: request.callerUser ?? null,
    numberId: request.namedNumber ?? null,
    numbers: numbers.map(({ number, result, why }: NumberVerdict) => ({ ...numberJson(number), result, why })),
    ...(decision.ok
      ? {
          number: numberJson(decision.number),
          by: decision.by,
          connect: addressFields(decision.user),
          permission: decision.number.permission,
        }
      : { refusal: refusal(decision.code, decision.why) }),
  };
}

const withoutLeave = `refused with ${endReason('no_permission').sipStatus}`;
const PERMISSION_TEXT: Readonly<Record<WaNumber['permission'], string>> = {
  none: 'not looked up; Meta decides',
  check: `looked up first; a user who has not given leave is not called, and the PBX is ${withoutLeave}`,
  ask: `looked up first; a user who has not given leave is asked for it, and the PBX gets ${endReason('permission_requested').sipStatus}`,
};

function routeRow({ position, result, route, why }: RouteVerdict): string[] {
  return [String(position), result, route.trunk, route.to ?? 'number', why];
}

function dialledServers(servers: readonly SipServer[], user: string): DialledServer[] {
  return serverGroups(servers)
    .flat()
    .map((server) => ({
      priority: server.priority,
      weight: server.weight,
      server: `${server.transport} ${server.hostname}:${server.port}${server.lookup ? ', or as DNS says' : ''}`,
      requestUri: requestUri(user, server),
    }));
}

function refusal(code: Parameters<typeof endReason>[0], why: string): Json {
  const { sipStatus, q850 } = endReason(code);
  return { code, sipStatus, q850, why };
}

const numberJson = ({ name, id, number }: WaNumber): Json => ({ name, id, number });
const numberText = ({ name, id, number }: WaNumber): string => `${name}, ${number}, id ${id}`;
const iso = (atMs: number): string => new Date(atMs).toISOString();
const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** A blank line before, between and after. */
const paragraphs = (...parts: readonly string[]): string => `\n${parts.join('\n')}\n`;
