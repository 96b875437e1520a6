import type { Config } from '../../config/config.js';
import type { Clock } from '../../lib/clock.js';
import { systemDns, type DnsClient } from '../../lib/dns-client.js';
import type { WaNumber } from '../../routing/types.js';
import { accessChecks } from './access-checks.js';
import { certificateChecks } from './certificate-checks.js';
import { runChecks, type Check, type CheckResult } from './check.js';
import { diskChecks } from './disk-checks.js';
import type { DoctorScope } from './doctor-scope.js';
import { accountChecks, numberChecks } from './meta-checks.js';
import { MetaQuestions } from './meta-questions.js';
import { findRunning } from './running-daemon.js';
import { socketChecks } from './socket-checks.js';
import { systemChecks } from './system-checks.js';
import { trunkChecks } from './trunk-checks.js';
import { webhookChecks } from './webhook-checks.js';

export interface ExamineOptions {
  readonly config: Config;
  /** The numbers that Meta is asked about. */
  readonly numbers: readonly WaNumber[];
  /** That no line may show. */
  readonly secrets: readonly string[];
  readonly clock: Clock;
  /** Default: the system's. */
  readonly dns?: DnsClient;
  /** Longest time of one check, in milliseconds; all run at once. Default: 10 s. */
  readonly deadlineMs?: number;
  readonly random?: () => number;
  /** Told of every check that is done. */
  readonly onDone?: (done: number, total: number) => void;
}

const defaultDeadlineMs = 10_000;
/** Of a check's time, one question may take this share: what comes of it still has to be told. */
const askShare = 0.8;
/** Whether a daemon runs is asked first, on this machine. */
const runningMs = 2_000;

/** Looks for what goes wrong in the field: places no call and changes nothing, neither here nor at Meta. Never rejects. */
export function examine(options: ExamineOptions): Promise<readonly CheckResult[]> {
  const { config, numbers, clock, deadlineMs = defaultDeadlineMs } = options;
  const askMs = deadlineMs * askShare;
  const scope: DoctorScope = {
    ...{ config, numbers, clock, askMs },
    dns: options.dns ?? systemDns(),
    random: options.random ?? Math.random,
    meta: new MetaQuestions({ graph: config.graph, askMs, clock }),
    running: findRunning(config, Math.min(runningMs, askMs / 4), clock),
  };
  const { secrets, onDone } = options;
  return runChecks(allChecks(scope), { deadlineMs, clock, secrets, ...(onDone && { onDone }) });
}

/** This machine first, then the SIP side, then Meta's. */
function allChecks(scope: DoctorScope): Check[] {
  const meta = [
    ...accountChecks(scope),
    ...scope.numbers.flatMap((number) => numberChecks(scope, number)),
    ...webhookChecks(scope),
  ];
  return [
    ...systemChecks(scope),
    ...diskChecks(scope),
    ...socketChecks(scope),
    ...accessChecks(scope),
    ...trunkChecks(scope),
    ...certificateChecks(scope),
    ...(scope.numbers.length === 0 ? [] : meta),
  ];
}
