import { withDeadline, DeadlineError } from '../../lib/deadline.js';
import type { Clock } from '../../lib/clock.js';

/** `skipped`: the answer cannot be had, and why stands in the detail. */
export type CheckState = 'ok' | 'warning' | 'failed' | 'skipped';

/** What a check found. */
export interface Finding {
  readonly state: CheckState;
  /** One line. */
  readonly detail: string;
  /** What the operator should do; there for warnings and failures. */
  readonly cure?: string;
}

/** One thing that goes wrong in the field. */
export interface Check {
  readonly name: string;
  /** May throw, and may take longer than it has. */
  readonly run: () => Promise<Finding> | Finding;
}

export interface CheckResult extends Finding {
  readonly name: string;
}

export const ok = (detail: string): Finding => ({ state: 'ok', detail });
export const skipped = (detail: string): Finding => ({ state: 'skipped', detail });
export const warning = (detail: string, cure: string): Finding => ({ state: 'warning', detail, cure });
export const failed = (detail: string, cure: string): Finding => ({ state: 'failed', detail, cure });

export interface RunTerms {
  /** Longest time of one check, in milliseconds. */
  readonly deadlineMs: number;
  readonly clock: Clock;
  /** Secrets that no line may show. */
  readonly secrets: readonly string[];
  /** Told of every check that is done. */
  readonly onDone?: (done: number, total: number) => void;
}

/** Runs all checks at once, each with its own deadline. Results in the order of the checks; never rejects. */
export async function runChecks(checks: readonly Check[], terms: RunTerms): Promise<readonly CheckResult[]> {
  let done = 0;
  return Promise.all(
    checks.map(async ({ name, run }) => {
      const finding = await outcome(run, terms);
      terms.onDone?.(++done, checks.length);
      const shown = (text: string): string => plain(withoutSecrets(text, terms.secrets));
      const cure = finding.cure === undefined ? {} : { cure: shown(finding.cure) };
      return { name, state: finding.state, detail: shown(finding.detail), ...cure };
    }),
  );
}

async function outcome(run: Check['run'], { deadlineMs, clock }: RunTerms): Promise<Finding> {
  try {
    return await withDeadline(Promise.resolve().then(run), deadlineMs, 'it', clock);
  } catch (error) {
    if (error instanceof DeadlineError) {
      return failed(
        `no answer within ${deadlineMs / 1000} s`,
        'see whether the network drops packets on the way there',
      );
    }
    return failed(`could not be checked: ${faultText(error)}`, 'mend what it names, or report it as a bug');
  }
}

/** The message of an error, with the system's code before it where it has one. */
export function faultText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as { readonly code?: unknown };
  const isNews = typeof code === 'string' && !code.startsWith('SIP2WA_') && !error.message.includes(code);
  return isNews ? `${code}: ${error.message}` : error.message;
}

/** Shorter ones are no secrets worth the name, and would black out half of every line. */
const leastSecret = 4;

function withoutSecrets(text: string, secrets: readonly string[]): string {
  const forms = secrets
    .filter((secret) => secret.length >= leastSecret)
    .flatMap((secret) => [secret, encodeURIComponent(secret)])
    .sort((a, b) => b.length - a.length);
  return forms.reduce((shown, form) => shown.replaceAll(form, '[redacted]'), text);
}

/** Words from outside go to a terminal: one line, no control or format characters. */
const plain = (text: string): string =>
  text
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
    .slice(0, longestLine);

const longestLine = 600;
