import { z } from 'zod';
import type { DesiredCalling } from '../../routing/calling-settings.js';
import type { GraphClient } from '../graph-client.js';
import { settingsDifference, settingsWrites, type SettingsChange, type SettingsWrite } from './settings-difference.js';
import type { Block } from './settings-fields.js';

/** Everything that Meta holds of a number: other products' settings stand beside `calling`. */
const settingsAnswer = z.looseObject({ calling: z.record(z.string(), z.unknown()).default({}) });
const written = z.object({ success: z.union([z.literal(true), z.literal('true')]) });

/** What came of bringing a number to what its file wants. */
export interface SettingsOutcome {
  /** What differed before. */
  readonly changes: readonly SettingsChange[];
  /** What was sent. */
  readonly writes: readonly SettingsWrite[];
  /** What still differs after it was sent, by Meta's own word. */
  readonly remaining: readonly SettingsChange[];
}

/** A number's settings at Meta: `GET` and `POST /<PHONE_NUMBER_ID>/settings` (settings page). */
export class SettingsClient {
  constructor(private readonly graph: Pick<GraphClient, 'request'>) {}

  /**
   * The `calling` block as Meta holds it, what this project does not know included.
   * @param withCredentials asks for the SIP password of each server as well
   * @throws GraphError
   */
  async pull(numberId: string, withCredentials = false): Promise<Block> {
    const query = withCredentials ? { query: { include_sip_credentials: 'true' } } : {};
    const path = `${numberId}/settings`;
    const request = { lane: 'other', method: 'GET', path, numberId, what: 'settings', ...query } as const;
    const { calling } = await this.graph.request({ ...request, answer: settingsAnswer });
    return calling;
  }

  /**
   * Sends what it takes, reads back and compares; nothing is sent when nothing differs.
   * @param today YYYY-MM-DD in the number's own zone
   * @throws GraphError; what was sent before stays, and the next apply goes on from there
   */
  async apply(numberId: string, desired: DesiredCalling, today: string): Promise<SettingsOutcome> {
    const live = await this.pull(numberId);
    const changes = settingsDifference(desired, live, today);
    const writes = settingsWrites(desired, live, today);
    for (const { body } of writes) await this.#post(numberId, body);
    if (writes.length === 0) return { changes, writes, remaining: [] };
    const remaining = settingsDifference(desired, await this.pull(numberId), today);
    return { changes, writes, remaining };
  }

  async #post(numberId: string, body: SettingsWrite['body']): Promise<void> {
    const path = `${numberId}/settings`;
    const request = { lane: 'other', method: 'POST', path, numberId, what: 'settings', body } as const;
    await this.graph.request({ ...request, answer: written });
  }
}
