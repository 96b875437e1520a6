import type { Config } from '../../config/config.js';
import type { Clock } from '../../lib/clock.js';
import type { DnsClient } from '../../lib/dns-client.js';
import type { WaNumber } from '../../routing/types.js';
import type { MetaQuestions } from './meta-questions.js';
import type { RunningDaemon } from './running-daemon.js';

/** What the checks work with. */
export interface DoctorScope {
  readonly config: Config;
  /** The numbers that Meta is asked about. */
  readonly numbers: readonly WaNumber[];
  readonly clock: Clock;
  readonly dns: DnsClient;
  /** Longest wait for one answer of the outside, in milliseconds: shorter than the deadline of a check. */
  readonly askMs: number;
  /** 0 to 1. */
  readonly random: () => number;
  readonly meta: MetaQuestions;
  /** The daemon of this configuration on this machine, if one runs. */
  readonly running: Promise<RunningDaemon | undefined>;
}
