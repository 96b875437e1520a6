import { z } from 'zod';

/** How much of an allowance is used up, as Meta's headers say it. */
export interface Usage {
  /** `app`: the whole app's; `number`: of the business account that the request's number belongs to. */
  readonly scope: 'app' | 'number';
  /** The highest of calls, time and CPU time. */
  readonly percent: number;
  /** How long Meta refuses for, in milliseconds; undefined when it does not. */
  readonly refusedForMs: number | undefined;
}

/** Longer headers are none of Meta's. */
const HEADER_CAP = 16_384;
/** The app header names no time; its window is a sliding hour, of which a little is given back all the time. */
const APP_PAUSE_MS = 60_000;

const share = z.coerce.number().min(0).max(1e6).optional().catch(undefined);
const figures = z.object({
  call_count: share,
  total_time: share,
  total_cputime: share,
  estimated_time_to_regain_access: share,
});
type Figures = z.infer<typeof figures>;
const perAccount = z.record(z.string(), z.array(figures.catch({})));

/**
 * Reads `X-App-Usage` and `X-Business-Use-Case-Usage` (Meta's page on rate limits); what is not of their form counts as not
 * there.
 */
export function readUsage(headers: Headers): Usage[] {
  const usages: Usage[] = [];
  const app = figures.safeParse(jsonOf(headers.get('x-app-usage')));
  if (app.success && isTold(app.data)) usages.push(appUsage(app.data));
  const accounts = perAccount.safeParse(jsonOf(headers.get('x-business-use-case-usage')));
  const told = accounts.success ? Object.values(accounts.data).flat().filter(isTold) : [];
  if (told.length > 0) usages.push(accountUsage(told));
  return usages;
}

const percentOf = ({ call_count: calls = 0, total_time: time = 0, total_cputime: cpu = 0 }: Figures): number =>
  Math.max(calls, time, cpu);

const isTold = (told: Figures): boolean => Object.values(told).some((value) => value !== undefined);

function appUsage(told: Figures): Usage {
  const percent = percentOf(told);
  return { scope: 'app', percent, refusedForMs: percent >= 100 ? APP_PAUSE_MS : undefined };
}

function accountUsage(told: readonly Figures[]): Usage {
  const minutes = Math.max(...told.map(({ estimated_time_to_regain_access: regain = 0 }) => regain));
  const percent = Math.max(...told.map(percentOf));
  return { scope: 'number', percent, refusedForMs: minutes > 0 ? minutes * 60_000 : undefined };
}

function jsonOf(header: string | null): unknown {
  if (header === null || header.length > HEADER_CAP) return undefined;
  try {
    return JSON.parse(header);
  } catch {
    return undefined;
  }
}
