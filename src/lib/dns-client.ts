import { Resolver, lookup } from 'node:dns/promises';
import { isIP } from 'node:net';

/** A server of a service (RFC 2782). */
export interface SrvRecord {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  /** `.` means that there is no such service. */
  readonly name: string;
}

/** Which services a domain has (RFC 3403). */
export interface NaptrRecord {
  readonly order: number;
  readonly preference: number;
  readonly flags: string;
  readonly service: string;
  readonly regexp: string;
  readonly replacement: string;
}

/** Questions to DNS. An empty list says that there is no such record; what cannot be found out is an error. */
export interface DnsClient {
  /** All addresses, IPv4 first. @throws Error when there is none, or no answer */
  addresses(host: string): Promise<readonly string[]>;
  /** @throws Error when there is no answer */
  srv(name: string): Promise<readonly SrvRecord[]>;
  /** @throws Error when there is no answer */
  naptr(name: string): Promise<readonly NaptrRecord[]>;
}

export interface SystemDnsOptions {
  /** `address:port` of the only servers to ask; default: the system's, and its hosts file for addresses. */
  readonly servers?: readonly string[];
  /** Each question is sent twice, the second time with twice this time to answer. */
  readonly timeoutMs?: number;
}

const defaultTimeoutMs = 400;
/** After this an address is asked of DNS itself, too: all look-ups of the system share two threads, which one slow name can hold. */
const patienceMs = 700;

/** The system's resolver. Deadlines are the caller's. */
export function systemDns({ servers, timeoutMs = defaultTimeoutMs }: SystemDnsOptions = {}): DnsClient {
  const resolver = new Resolver({ timeout: timeoutMs, tries: 2 });
  if (servers) resolver.setServers(servers);
  const direct = (host: string): Promise<readonly string[]> => directAddresses(resolver, host);
  return {
    addresses: (host) => {
      if (isIP(host) !== 0) return Promise.resolve([host]);
      return servers ? direct(host) : patiently(systemAddresses(host), () => direct(host), !isLocal(host));
    },
    srv: (name) => listed(resolver.resolveSrv(name)),
    naptr: (name) => listed(resolver.resolveNaptr(name)),
  };
}

/** Names of this machine, those that only the system's own rules can complete, and those that never are: no question for DNS (RFC 6761 §6.3, §6.4). */
export const isLocal = (host: string): boolean => !host.includes('.') || /(^|\.)(localhost|invalid)\.?$/i.test(host);

/** By the system's rules, hosts file included. */
async function systemAddresses(host: string): Promise<readonly string[]> {
  const answers = await lookup(host, { all: true, verbatim: true });
  return answers.sort((a, b) => a.family - b.family).map(({ address }) => address);
}

async function directAddresses(resolver: Resolver, host: string): Promise<readonly string[]> {
  const [v4, v6] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  const found = [v4, v6].flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  if (found.length > 0) return found;
  throw v4.status === 'rejected' ? v4.reason : new Error(`${host} has no address`);
}

/** What `first` says, or `second`, which is asked after a while, if that is sooner. */
function patiently<T>(first: Promise<T>, second: () => Promise<T>, isAsked: boolean): Promise<T> {
  if (!isAsked) return first;
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => void second().then(resolve, () => undefined), patienceMs);
    timer.unref();
    first.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** That there is nothing is an answer. */
async function listed<T>(asked: Promise<T[]>): Promise<readonly T[]> {
  try {
    return await asked;
  } catch (err) {
    const { code } = err as NodeJS.ErrnoException;
    if (code === 'ENODATA' || code === 'ENOTFOUND') return [];
    throw err;
  }
}
