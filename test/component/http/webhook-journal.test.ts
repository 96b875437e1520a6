import { createHmac } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Journal, JournalEntry } from '../../../src/call/journal.js';
import type { HttpListener } from '../../../src/http/http-listener.js';
import { startWebhookListener } from '../../../src/http/webhook-listener.js';
import { FileJournal } from '../../../src/journal/file-journal.js';
import { silentLogger } from '../../../src/lib/logger.js';
import type { WebhookEvent } from '../../../src/whatsapp/webhook-events.js';
import { replyOf } from '../../../src/whatsapp/webhook-journal.js';
import { eventually } from '../../support/eventually.js';
import { SkippableClock } from '../../support/skippable-clock.js';

const NUMBER = '106540352242922';
const envelope = (numberId: string, field: string, more: object): unknown => ({
  object: 'whatsapp_business_account',
  entry: [{ id: '1', changes: [{ field, value: { metadata: { phone_number_id: numberId }, ...more } }] }],
});
const connect = (id: string, numberId = NUMBER): unknown =>
  envelope(numberId, 'calls', {
    contacts: [{ profile: { name: 'canary-name' }, wa_id: '13057765456' }],
    calls: [
      {
        ...{ id, event: 'connect', from: '13057765456', to: '15551112222', direction: 'USER_INITIATED' },
        ...{ timestamp: '1671644824', session: { sdp_type: 'offer', sdp: 'v=0 a=ice-pwd:canary-ice' } },
      },
    ],
  });
const reply = (id: string): unknown =>
  envelope(NUMBER, 'messages', {
    contacts: [{ profile: { name: 'canary-name' }, wa_id: '13057765456' }],
    messages: [
      {
        ...{ id, from: '13057765456', timestamp: '1671644824', type: 'interactive', context: { id: 'wamid.request' } },
        interactive: {
          type: 'call_permission_reply',
          call_permission_reply: {
            ...{ response: 'accept', is_permanent: false, expiration_timestamp: '1672000000' },
            response_source: 'user_action',
          },
        },
      },
    ],
  });

let dir: string;
let clock: SkippableClock;
let kept: string[];
let deliveries: (readonly WebhookEvent[])[];
let listener: HttpListener;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sip2wa-hooks-'));
  clock = new SkippableClock();
  kept = [];
  deliveries = [];
});
afterEach(async () => {
  await listener.close();
  rmSync(dir, { recursive: true });
});

async function listen(
  journal: Journal,
  onDelivery = (events: readonly WebhookEvent[]) => void deliveries.push(events),
) {
  listener = await startWebhookListener({
    ...{ listen: { host: '127.0.0.1', port: 0 }, path: '/', verifyToken: 'v', appSecrets: () => ['secret'] },
    isOurNumber: (id) => id === NUMBER,
    keepUnknown: (items) => kept.push(items),
    ...{ onDelivery, journal, clock, logger: silentLogger },
  });
}

/** The status, or undefined when the connection broke before there was one. */
async function post(body: unknown): Promise<number | undefined> {
  const text = JSON.stringify(body);
  const signature = `sha256=${createHmac('sha256', 'secret').update(text).digest('hex')}`;
  const sent = fetch(`http://127.0.0.1:${listener.port}/`, {
    ...{ method: 'POST', body: text, headers: { 'x-hub-signature-256': signature } },
  });
  return sent.then(
    ({ status }) => status,
    () => undefined,
  );
}

/** A journal on disk that stands still at one step of an append, as if the process were killed there. */
class StoppingJournal implements Journal {
  stopAt: 'nowhere' | 'before it is written' | 'before its caller is told' = 'nowhere';
  readonly reached: JournalEntry[] = [];

  constructor(readonly file: FileJournal) {}

  async append(entry: JournalEntry): Promise<void> {
    const forever = new Promise<void>(() => undefined);
    if (this.stopAt === 'before it is written') {
      this.reached.push(entry);
      return forever;
    }
    await this.file.append(entry);
    this.reached.push(entry);
    if (this.stopAt !== 'nowhere') return forever;
  }
}

const openFile = (): Promise<FileJournal> => FileJournal.open({ dir, logger: silentLogger });

/** What another process finds if this one is killed now. */
async function openAfterCrash(): Promise<FileJournal> {
  const copy = join(dir, 'copy');
  for (const name of readdirSync(dir)) if (name.startsWith('journal-')) cpSync(join(dir, name), join(copy, name));
  return FileJournal.open({ dir: copy, logger: silentLogger });
}

describe('a daemon killed at any step of a delivery', () => {
  it.each(['before it is written', 'before its caller is told'] as const)(
    'has not said 200 (stopped %s), and what it said 200 to is in the journal',
    async (stopAt) => {
      const journal = new StoppingJournal(await openFile());
      await listen(journal);
      expect(await post(connect('wacid.first'))).toBe(200);
      journal.stopAt = stopAt;
      const statuses = ['wacid.second', 'wacid.third'].map((id) => post(connect(id)));
      await eventually(() => journal.reached.length === 3, 'the step');
      await listener.close();
      expect(await Promise.all(statuses)).toEqual([undefined, undefined]);
      const found = (await openAfterCrash()).open.calls().flatMap(({ waCalls }) => waCalls);
      expect(found.map(({ waCallId }) => waCallId)).toContain('wacid.first');
      expect(found).toHaveLength(stopAt === 'before it is written' ? 1 : 3);
    },
  );

  it('has in the journal what was answered and not yet handled', async () => {
    const file = await openFile();
    await listen(file, () => {
      throw new Error('killed');
    });
    const statuses = await Promise.all([
      ...Array.from({ length: 20 }, (_, n) => post(connect(`wacid.${n}`))),
      ...Array.from({ length: 20 }, (_, n) => post(reply(`wamid.${n}`))),
    ]);
    expect(new Set(statuses)).toEqual(new Set([200]));
    const { open } = await openAfterCrash();
    expect(open.calls()).toHaveLength(20);
    expect(open.permissionReplies()).toHaveLength(20);
  });

  it('whose disk hangs says 503, and acts on nothing', async () => {
    const journal = new StoppingJournal(await openFile());
    journal.stopAt = 'before it is written';
    await listen(journal);
    const status = post(connect('wacid.1'));
    await eventually(() => journal.reached.length === 1, 'the append');
    clock.skip(5000);
    expect(await status).toBe(503);
    expect(deliveries).toEqual([]);
  });
});

describe('the journal of webhooks', () => {
  it('has a permission reply whole but for the name, as it will be replayed', async () => {
    await listen(await openFile());
    expect(await post(reply('wamid.1'))).toBe(200);
    await eventually(() => deliveries.length === 1, 'the delivery');
    const [data] = (await openAfterCrash()).open.permissionReplies();
    expect(replyOf(data!)).toMatchObject({
      ...{ kind: 'permission_reply', messageId: 'wamid.1', contextId: 'wamid.request', response: 'accept' },
      ...{ expiresAtMs: 1672000000000, user: { number: '+13057765456' } },
    });
    const { user: handled, ...rest } = deliveries[0]![0] as ReturnType<typeof replyOf>;
    const { user: replayed, ...again } = replyOf(data!);
    expect([again, replayed.number]).toEqual([JSON.parse(JSON.stringify(rest)), handled.number]);
    expect(JSON.stringify(data)).not.toContain('canary');
  });

  it('has neither SDP nor names nor numbers of a call, and nothing of other apps’ numbers', async () => {
    const entries: JournalEntry[] = [];
    await listen({ append: (entry) => Promise.resolve(void entries.push(entry)) });
    expect(await post(connect('wacid.ours'))).toBe(200);
    expect(await post(connect('wacid.theirs', '999'))).toBe(200);
    await eventually(() => deliveries.length === 2, 'the deliveries');
    expect(entries.map(({ data }) => data)).toEqual([
      { kind: 'user_connect', numberId: NUMBER, waCallId: 'wacid.ours', timestampMs: '1671644824000' },
    ]);
  });
});

describe('what nobody understands', () => {
  it('is kept for the operator, without the keys of a session', async () => {
    await listen({ append: () => Promise.resolve() });
    const strange = envelope(NUMBER, 'calls', {
      calls: [{ id: 'wacid.1', event: 'transfer', session: { sdp: 'v=0 a=ice-pwd:canary-ice' }, news: 7 }],
    });
    expect(await post(strange)).toBe(200);
    expect(await post(envelope(NUMBER, 'account_update', { event: 'VERIFIED' }))).toBe(200);
    expect(await post({ entry: [{ id: '1' }] })).toBe(200);
    expect(kept.map((line): unknown => JSON.parse(line))).toEqual([
      [
        {
          field: 'calls',
          value: {
            metadata: { phone_number_id: NUMBER },
            calls: [{ id: 'wacid.1', event: 'transfer', session: { sdp: '(24 characters)' }, news: 7 }],
          },
        },
      ],
      [{ field: 'account_update', value: { metadata: { phone_number_id: NUMBER }, event: 'VERIFIED' } }],
      [{ id: '1' }],
    ]);
  });

  it('is kept without the customers’ messages that come along', async () => {
    await listen({ append: () => Promise.resolve() });
    const text = { id: 'wamid.1', type: 'text', text: { body: 'private' } };
    const odd = { id: 'wamid.2', type: 'interactive', interactive: { call_permission_reply: { response: 'perhaps' } } };
    const ofReply = envelope(NUMBER, 'messages', { messages: [text, odd] });
    const ofText = envelope(NUMBER, 'messages', { messages: [text] });
    const body = { entry: [ofText, ofReply].flatMap((one) => (one as { entry: unknown[] }).entry) };
    for (const field of ['smb_message_echoes', 'message_echoes', 'history', 'standby']) {
      expect(await post(envelope(NUMBER, field, { messages: [text], history: [{ threads: [text] }] }))).toBe(200);
    }
    expect(await post(body)).toBe(200);
    expect(kept).toHaveLength(1);
    expect(JSON.parse(kept[0]!)).toMatchObject([{ value: { messages: [odd] } }]);
    expect(kept[0]).not.toContain('private');
  });

  it('is not kept when it is of another app’s number', async () => {
    await listen({ append: () => Promise.resolve() });
    const strange = (numberId: string) =>
      envelope(numberId, 'calls', { calls: [{ id: 'wacid.1', event: 'transfer' }] });
    const entry = ['999', NUMBER].flatMap((id) => (strange(id) as { entry: unknown[] }).entry);
    expect(await post(strange('999'))).toBe(200);
    expect(await post({ entry })).toBe(200);
    expect(kept.map((line) => (JSON.parse(line) as unknown[]).length)).toEqual([1]);
    expect(kept[0]).not.toContain('999');
  });

  it('is not kept when it is a customer’s message or an event that is known', async () => {
    await listen({ append: () => Promise.resolve() });
    const message = envelope(NUMBER, 'messages', {
      messages: [{ id: 'wamid.1', type: 'text', text: { body: 'private' } }],
    });
    for (const body of [message, connect('wacid.1'), reply('wamid.2')]) expect(await post(body)).toBe(200);
    expect(kept).toEqual([]);
  });
});
