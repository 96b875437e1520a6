import type { Config } from '../config/config.js';
import type { ConfigIssue } from '../config/issue.js';
import type { LoadResult } from '../config/load-config.js';
import { reloaded } from '../config/reload-keys.js';
import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import type { LiveConfig } from './live-config.js';

/** What came of a reload; `impossible`: there is no file to read. */
export type ReloadOutcome =
  | {
      readonly result: 'ok';
      readonly file: string;
      readonly changed: readonly string[];
      readonly restart: readonly string[];
      readonly warnings: readonly ConfigIssue[];
    }
  | { readonly result: 'refused'; readonly file: string; readonly errors: readonly ConfigIssue[] }
  | { readonly result: 'impossible' };

export interface ReloadOptions {
  /** Reads and checks the file that the daemon was started with; undefined: there was none. */
  readonly load: (() => LoadResult) | undefined;
  readonly live: LiveConfig;
  /** Told new secrets before anything can log them. */
  readonly redact: (secrets: readonly string[]) => void;
  /** Lets the rooms take the configuration that is in use from now on. */
  readonly apply: (config: Config) => void;
  readonly onOutcome: (outcome: Exclude<ReloadOutcome, { readonly result: 'impossible' }>) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Reads the configuration anew, all or nothing: with any error the one in use stays, and every call with it. Calls that are
 * under way go on with what they began with.
 */
export class Reload {
  #last: { readonly atMs: number; readonly result: 'ok' | 'refused' } | undefined;

  constructor(private readonly options: ReloadOptions) {}

  /** The last one since the start. */
  get last(): { readonly atMs: number; readonly result: 'ok' | 'refused' } | undefined {
    return this.#last;
  }

  /** Never throws. */
  run(): ReloadOutcome {
    const { load, clock, logger, onOutcome } = this.options;
    if (!load) {
      logger.warn('nothing to reload: there is no configuration file');
      return { result: 'impossible' };
    }
    const outcome = this.#take(load());
    this.#last = { atMs: clock.now(), result: outcome.result };
    onOutcome(outcome);
    return outcome;
  }

  #take(loaded: LoadResult): Exclude<ReloadOutcome, { readonly result: 'impossible' }> {
    const { live, redact, apply, logger } = this.options;
    const { file } = loaded;
    if (!loaded.ok) {
      for (const { line, key, message, cure } of loaded.errors) {
        logger.error('configuration', { file, line, key, message, cure });
      }
      logger.error('configuration not reloaded; the old one stays in use', { file, errors: loaded.errors.length });
      return { result: 'refused', file, errors: loaded.errors };
    }
    redact(loaded.secrets);
    const { config, changed, restart } = reloaded(live.current, loaded.config);
    const before = live.current;
    try {
      live.replace(config);
      apply(config);
    } catch (err) {
      logger.error('configuration could not be applied; the old one stays in use', { file, err });
      live.replace(before);
      apply(before);
      return { result: 'refused', file, errors: [] };
    }
    const { warnings } = loaded;
    for (const { line, key, message, cure } of warnings)
      logger.warn('configuration', { file, line, key, message, cure });
    if (restart.length > 0) logger.warn('a restart is needed for some changes of the configuration', { keys: restart });
    logger.info('configuration reloaded', { file, changed });
    return { result: 'ok', file, changed, restart, warnings };
  }
}
