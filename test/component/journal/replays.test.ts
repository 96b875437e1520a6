import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { JournalEntry } from '../../../src/call/journal.js';
import { SeenFile } from '../../../src/journal/seen-file.js';
import { FakeClock } from '../../../src/lib/clock.js';
import { systemIds, type WaCallId } from '../../../src/lib/ids.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { CallDirectory } from '../../../src/whatsapp/call-directory.js';
import type { WebhookEvent } from '../../../src/whatsapp/webhook-events.js';
import { WebhookRouter } from '../../../src/whatsapp/webhook-router.js';
import { ScriptedLeg } from '../../support/scripted-leg.js';
import { someNumber, someUser, someWaCall } from '../../support/whatsapp-fakes.js';

const DAY_MS = 24 * 3600_000;
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sip2wa-replays-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** One run of the daemon as far as webhooks go: what it did is in `effects`, its keys are on the disk. */
async function run(clock: FakeClock) {
  const effects: string[] = [];
  const settled: JournalEntry[] = [];
  const seen = await SeenFile.load({ dir, clock, logger: silentLogger });
  const router = new WebhookRouter({
    numbers: () => [someNumber],
    directory: new CallDirectory(clock),
    createUserLeg: () => {
      effects.push('leg');
      return Object.assign(new ScriptedLeg('a', effects), { onWebhook: () => void effects.push('webhook') });
    },
    onUserCall: () => void effects.push('call'),
    endAbandoned: () => void effects.push('terminate'),
    onPermissionReply: () => void effects.push('reply'),
    seen,
    journal: { append: (entry) => Promise.resolve(void settled.push(entry)) },
    ...{ ids: systemIds, clock, observer: { step: () => undefined }, logger: silentLogger },
  });
  return { router, seen, effects, settled };
}

const user = { number: someUser, userId: undefined, parentUserId: undefined, name: 'Ana', username: undefined };

/** The captured delivery. Its stamps are those of the moment it is replayed: only the memory can tell. */
const captured = (clock: FakeClock): WebhookEvent[] => {
  const of = { numberId: someNumber.id, timestampMs: clock.now() };
  const ofCall = { ...of, waCallId: someWaCall, opaque: undefined, ctaPayload: undefined, deeplinkPayload: undefined };
  const reply = { messageId: 'wamid.1', contextId: undefined, response: 'accept', permanent: true } as const;
  return [
    { kind: 'user_connect', ...ofCall, user, offer: 'meta offer' },
    { kind: 'permission_reply', ...of, user, ...reply, expiresAtMs: undefined, source: 'user_action' },
  ];
};

it('a captured delivery has no effect after 1 s, 1 h and 7 days, in the same run or in another', async () => {
  const clock = new FakeClock();
  let daemon = await run(clock);
  daemon.router.handle(captured(clock));
  expect(daemon.effects).toEqual(['leg', 'call', 'reply']);
  for (const laterMs of [1000, 3600_000, 7 * DAY_MS - 3601_000]) {
    clock.advance(laterMs);
    daemon.effects.length = 0;
    daemon.router.handle(captured(clock));
    expect(daemon.effects).toEqual([]);
    await daemon.seen.close();
    daemon = await run(clock);
    daemon.router.handle(captured(clock));
    expect(daemon.effects).toEqual([]);
  }
  const other = captured(clock).map((event) => ({
    ...event,
    waCallId: 'wacid.other' as WaCallId,
    messageId: 'wamid.2',
  }));
  daemon.router.handle(other);
  expect(daemon.effects).toEqual(['leg', 'call', 'reply']);
});

it('a connect that comes after its terminate does not ring, over a restart too', async () => {
  const clock = new FakeClock();
  const first = await run(clock);
  const end = { direction: 'user_initiated', outcome: 'FAILED', startMs: undefined, endMs: undefined } as const;
  const [connect] = captured(clock);
  first.router.handle([
    { ...connect, kind: 'call_terminate', ...end, durationS: undefined, errors: [] } as WebhookEvent,
  ]);
  await first.seen.close();
  const second = await run(clock);
  second.router.handle(captured(clock).slice(0, 1));
  expect(second.effects).toEqual([]);
});

it('what was dropped is settled in the journal, so that no later start takes it for an orphan', async () => {
  const clock = new FakeClock();
  const { router, settled } = await run(clock);
  router.handle(captured(clock));
  expect(settled).toMatchObject([{ event: 'permission_handled', data: { key: `${someNumber.id}|wamid.1` } }]);
  router.handle(captured(clock));
  expect(settled.slice(1)).toMatchObject([
    { event: 'webhook_settled', data: { waCallId: someWaCall } },
    { event: 'permission_handled' },
  ]);
});

it('what is of another app’s number costs the journal nothing', async () => {
  const clock = new FakeClock();
  const { router, settled } = await run(clock);
  router.handle(captured(clock).map((event) => ({ ...event, numberId: '999' })));
  expect(settled).toEqual([]);
});

it('an orphan that recovery has ended makes no call when its webhook comes again', async () => {
  const clock = new FakeClock();
  const { router, effects } = await run(clock);
  router.forget({ numberId: someNumber.id, waCallId: someWaCall });
  router.handle(captured(clock).slice(0, 1));
  expect(effects).toEqual([]);
});
