import type { Config } from '../config/config.js';
import { loadConfig } from '../config/load-config.js';
import { toE164 } from '../routing/e164.js';
import { explainUserCall } from '../routing/route-explain.js';
import { explainTrunkCall } from '../routing/trunk-call.js';
import type { Trunk } from '../routing/types.js';
import { isWaUserId } from '../routing/user-address.js';
import { contains, parseIpNetwork, type IpNetwork } from '../sip/ip-network.js';
import { reportCheck } from './check.js';
import { EXIT, type ConsoleIo } from './console-io.js';
import { numberNamed, timeOf, trunkNamed, UsageError } from './named-in-config.js';
import { trunkCallJson, trunkCallText, userCallJson, userCallText } from './route-report.js';

/** Arguments of `route-test`: those of a user's call, or those of a call from a PBX. */
export interface RouteTestOptions {
  readonly config?: string;
  readonly json?: boolean;
  /** Business number that is called: its name, id or the number itself. */
  readonly number?: string;
  readonly from?: string;
  readonly at?: string;
  /** Trunk that a call from a PBX comes by. */
  readonly trunk?: string;
  readonly to?: string;
  readonly caller?: string;
  readonly numberId?: string;
}

/**
 * `sip2wa route-test`: says where a call would go and why, by the functions that calls are routed by. Exit code 0 when it
 * would be placed, 1 when it would be refused or the configuration has errors, 2 when the question makes no sense.
 */
export function routeTestCommand(options: RouteTestOptions, io: ConsoleIo, nowMs: () => number = Date.now): number {
  try {
    checkUsage(options);
    const result = loadConfig({ file: options.config, env: io.env });
    if (!result.ok) return reportCheck(result, options.json === true, io);
    const { config } = result;
    return options.number === undefined ? testTrunkCall(options, config, io) : testUserCall(options, config, io, nowMs);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    io.stderr(`sip2wa route-test: ${error.message}\n`);
    return EXIT.usage;
  }
}

function checkUsage({ number, from, at, trunk, to, caller, numberId }: RouteTestOptions): void {
  if ((number === undefined) === (trunk === undefined)) {
    throw new UsageError('name --number for a call of a user, or --trunk and --to for a call from a PBX');
  }
  if (number !== undefined && [to, caller, numberId].some((given) => given !== undefined)) {
    throw new UsageError('--to, --caller and --number-id are for calls from a PBX, with --trunk');
  }
  if (trunk === undefined) return;
  if (from !== undefined || at !== undefined)
    throw new UsageError('--from and --at are for calls of users, with --number');
  if (to === undefined) throw new UsageError('--to says whom the PBX dials');
}

function testUserCall(options: RouteTestOptions, config: Config, io: ConsoleIo, nowMs: () => number): number {
  const number = numberNamed(options.number ?? '', config.numbers);
  const atMs = timeOf(options.at, number, nowMs);
  const request = { number, from: callerNumber(options.from), atMs };
  const trunks = new Map(config.trunks.map((trunk) => [trunk.name, trunk]));
  const explanation = explainUserCall(request, config.routes, trunks);
  io.stdout(options.json ? json(userCallJson(request, explanation)) : userCallText(request, explanation));
  return explanation.choice.ok ? EXIT.ok : EXIT.failed;
}

function testTrunkCall(options: RouteTestOptions, config: Config, io: ConsoleIo): number {
  const trunk = trunkNamed(options.trunk ?? '', config.trunks);
  const sharing = config.trunks.filter((other) => other === trunk || sharesAddress(trunk, other));
  const request = {
    trunks: sharing.map(({ name }) => name),
    calledUser: options.to ?? '',
    callerUser: options.caller,
    namedNumber: options.numberId,
    destinations: trunk.destinations,
  };
  const explanation = explainTrunkCall(request, config.numbers);
  io.stdout(options.json ? json(trunkCallJson(request, explanation)) : trunkCallText(request, explanation));
  return explanation.decision.ok ? EXIT.ok : EXIT.failed;
}

const json = (report: Readonly<Record<string, unknown>>): string => `${JSON.stringify(report, null, 2)}\n`;

/** The caller as routes see it: a number, or nothing for a user who is known by a business-scoped id only. */
function callerNumber(text: string | undefined): string | undefined {
  if (text === undefined || isWaUserId(text)) return undefined;
  const number = toE164(text);
  if (number === undefined)
    throw new UsageError('--from is a number with country code, like +49301234567, or a user id');
  return number;
}

/** Whether one address may be both trunks': calls from it may then mean a number of either. Names are not looked up. */
function sharesAddress(a: Trunk, b: Trunk): boolean {
  const [mine, theirs] = [networksOf(a), networksOf(b)];
  const isSame = mine.some((one) =>
    theirs.some((other) => one.prefixLength === other.prefixLength && contains(one, other)),
  );
  const hosts = acceptedServers(b);
  return isSame || acceptedServers(a).some((host) => hosts.includes(host));
}

/** Networks and addresses that a trunk takes calls from. */
const networksOf = (trunk: Trunk): IpNetwork[] =>
  [...trunk.acceptFrom, ...acceptedServers(trunk)].flatMap((text) => parseIpNetwork(text) ?? []);

const acceptedServers = ({ acceptFromServers, servers }: Trunk): string[] =>
  acceptFromServers ? servers.map(({ hostname }) => hostname.toLowerCase()) : [];
