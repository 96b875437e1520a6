import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { escapedPackets, escapeTargets } from './escapes.js';
import { until } from './until.js';

/** Something that has to be ended, in reverse order of its start. */
export interface Stoppable {
  stop(): void | Promise<void>;
}

/**
 * What one test started: a temporary folder and everything to stop. `close` leaves nothing behind, whatever failed,
 * and fails itself when a packet was sent to an address outside loopback meanwhile.
 */
export class Scene {
  #escapedBefore = escapedPackets();
  readonly #parts: Stoppable[] = [];
  readonly folder = mkdtempSync(join(tmpdir(), 'sip2wa-peers-'));

  /** Path of a file in the scene's folder. */
  path(name: string): string {
    return join(this.folder, name);
  }

  /** The record of the only call, once it is on disk. */
  record(): Promise<Record<string, unknown>> {
    return until('the record', 5_000, () => {
      const text = readFileSync(this.path('cdr.jsonl'), 'utf8');
      return text.endsWith('\n') ? (JSON.parse(text) as Record<string, unknown>) : undefined;
    });
  }

  /** Takes over a started part. */
  add<T extends Stoppable>(part: T): T {
    this.#parts.push(part);
    return part;
  }

  /** Stops everything, last started first. @throws AggregateError when parts could not be stopped, Error for escaped packets */
  async close(): Promise<void> {
    const errors: unknown[] = [];
    for (const part of this.#parts.splice(0).reverse()) {
      try {
        await part.stop();
      } catch (error) {
        errors.push(error);
      }
    }
    if (process.env.SIP2WA_PEERS_KEEP === undefined) rmSync(this.folder, { recursive: true, force: true });
    if (errors.length > 0) throw new AggregateError(errors, 'peers could not be stopped');
    const escaped = escapedPackets() - this.#escapedBefore;
    this.#escapedBefore += escaped;
    if (escaped > 0)
      throw new Error(`${escaped} packets were sent outside, to ${escapeTargets().join(', ') || 'unknown'}`);
  }
}
