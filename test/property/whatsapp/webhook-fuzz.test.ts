import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { webhookApp } from '../../../src/http/webhook-listener.js';
import { BadInputError } from '../../../src/lib/bridge-error.js';
import { opaqueOf } from '../../../src/whatsapp/wa-ids.js';
import type { WebhookEvent } from '../../../src/whatsapp/webhook-events.js';
import { parseWebhookBody } from '../../../src/whatsapp/webhook-parse.js';
import { isSigned } from '../../../src/whatsapp/webhook-verify.js';
import { BridgeScene } from '../../support/bridge/bridge-scene.js';
import { Dice } from '../../support/dice.js';
import { metaIndex, readFixture } from '../../support/fixtures.js';
import { costMs } from '../../support/processor-time.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { runsOf } from '../../support/runs.js';
import { mutated } from '../../support/webhook-mutations.js';
import { runOut } from '../bridge/moves.js';

/*
 * Mutated webhooks, signed and not, by the way a real one goes: HMAC, parse, router, legs with their calls, Graph client and
 * SIP requests. A seed and a number name each of them.
 */

const seeds = [
  ...metaIndex()
    .filter(({ kind }) => kind === 'event')
    .map(({ file }) => readFixture(`meta-reference/${file}`)),
  ...['user-initiated-connect', 'business-initiated-connect-with-legacy-connection'].map((name) =>
    readFixture(`webhooks/${name}.json`),
  ),
];
const numberIds = ['106540352242922', '105615555715855'];
const epochMs = 1_671_644_824_000;
const secrets = ['app-secret', 'older-secret'];
const hmac = (body: Uint8Array, secret: string): string => createHmac('sha256', secret).update(body).digest('hex');

/** A signature header, and whether it may be believed. */
interface Signature {
  readonly header: string | undefined;
  readonly isTrue: boolean;
}

function signature(body: Buffer, original: Buffer, dice: Dice): Signature {
  const right = hmac(body, dice.pick(secrets));
  const flipped = (at: number): string =>
    right.slice(0, at) + ((Number.parseInt(right[at]!, 16) + 1 + dice.int(15)) % 16).toString(16) + right.slice(at + 1);
  switch (dice.int(20)) {
    case 0:
      return { header: undefined, isTrue: false };
    case 1:
      return { header: `sha256=${hmac(body, dice.pick(['other-secret', '', 'app-secret ']))}`, isTrue: false };
    case 2:
      return { header: `sha256=${hmac(original, secrets[0]!)}`, isTrue: original.equals(body) };
    case 3:
      return { header: `sha256=${flipped(dice.int(64))}`, isTrue: false };
    case 4:
      return {
        header: dice.pick([
          `sha1=${right}`,
          right,
          `sha256=${right}0`,
          `sha256=${right.slice(1)}`,
          `sha256= ${right}`,
          'sha256=',
        ]),
        isTrue: false,
      };
    default:
      return { header: `sha256=${dice.int(10) === 0 ? right.toUpperCase() : right}`, isTrue: true };
  }
}

/** Live calls for webhooks to be about: three the PBX placed; users' connects make more. */
async function sceneWithCalls(): Promise<BridgeScene> {
  const scene = new BridgeScene({ preAccept: 'immediate', numberIds, epochMs });
  scene.meta.takesAnyCall = true;
  for (let call = 0; call < 3; call++) {
    scene.invite('offer');
    await scene.settle();
    for (const request of scene.meta.open) scene.meta.reply(request, 'ok');
    await scene.settle();
  }
  return scene;
}

/** The seed of a delivery: about a call that there is, one that is new, or as Meta wrote it. */
function seedOf(scene: BridgeScene, nth: number, dice: Dice): string {
  const seed = dice.pick(seeds);
  const ids = /"id":\s*"wacid\.[^"]*"/g;
  const known = dice.pick(scene.meta.calls.filter(({ direction }) => direction === 'BUSINESS_INITIATED'));
  switch (dice.int(4)) {
    case 0:
      return seed;
    case 1:
      return seed.replaceAll(ids, `"id":"wacid.NEW${nth}"`);
    default: {
      const keyed = dice.int(2) === 0 ? (known.opaque ?? '') : opaqueOf(scene.offered[0]!);
      return seed.replaceAll(ids, `"id":"${known.id}"`).replaceAll('random_string', keyed);
    }
  }
}

interface Delivery {
  readonly body: Buffer;
  readonly header: string | undefined;
  readonly isTrue: boolean;
}

function delivery(scene: BridgeScene, nth: number, dice: Dice): Delivery {
  const seed = seedOf(scene, nth, dice);
  const body = mutated(seed, dice);
  return { body, ...signature(body, Buffer.from(seed), dice) };
}

/** What is wrong with events: they are ours alone, of plain objects, with harmless ids. */
function formFaults(events: readonly WebhookEvent[]): string[] {
  return events.flatMap((event) => {
    const isPlain = Object.getPrototypeOf(event) === Object.prototype;
    const id = 'waCallId' in event ? event.waCallId : 'x';
    return [...(isPlain ? [] : ['prototype']), ...(/^[A-Za-z0-9+/=._:-]{1,256}$/.test(id) ? [] : [`id ${id}`])];
  });
}

/** One delivery by the listener's own steps; `refused`, or the events. */
function take({ body, header }: Delivery): 'unsigned' | 'unreadable' | WebhookEvent[] {
  if (!isSigned(body, header, secrets)) return 'unsigned';
  try {
    return parseWebhookBody(body);
  } catch (error) {
    if (error instanceof BadInputError) return 'unreadable';
    throw error;
  }
}

const polluted = (): string[] => [
  ...Object.keys(Object.prototype),
  ...Object.keys(Array.prototype),
  ...('polluted' in {} ? ['polluted'] : []),
];

/** The slowest steps, to be looked at again. */
class Slowest {
  readonly steps: { readonly name: string; readonly tookMs: number; readonly again: () => number }[] = [];

  note(name: string, tookMs: number, again: () => number): void {
    if (this.steps.length === 10 && tookMs <= this.steps[9]!.tookMs) return;
    this.steps.push({ name, tookMs, again });
    this.steps.sort((a, b) => b.tookMs - a.tookMs).splice(10);
  }

  /** Those that take that long whenever they are tried: the best of four tries each. */
  longerThan(limitMs: number): string[] {
    return this.steps.flatMap(({ name, tookMs, again }) => {
      const bestMs = Math.min(tookMs, again(), again(), again());
      return bestMs < limitMs ? [] : [`${name} takes ${Math.round(bestMs)} ms`];
    });
  }
}

const bodyCapBytes = 1024 * 1024;
const stallLimitMs = 50;
const perScene = 250;

/** Counts of what became of the deliveries, so that a test that checks nothing is noticed. */
interface Tally {
  unsigned: number;
  unreadable: number;
  events: number;
  readonly results: Map<string, number>;
}

async function finish(scene: BridgeScene, tally: Tally): Promise<void> {
  await runOut(scene, 'answers');
  const { directory, board, sipLegs, clock, log, results } = scene;
  const left = { directory: directory.size, calls: board.calls.size, sip: sipLegs.size, timers: clock.armed };
  expect(left).toEqual({ directory: 0, calls: 0, sip: 0, timers: 0 });
  expect(log.lines).toEqual([]);
  expect(results.get('failed')).toBeUndefined();
  for (const [result, times] of results) tally.results.set(result, (tally.results.get(result) ?? 0) + times);
}

/** What one delivery costs a bridge that does nothing else, in milliseconds. */
function alone(made: Delivery): number {
  const scene = new BridgeScene({ preAccept: 'immediate', numberIds, epochMs });
  return costMs(() => {
    const taken = take(made);
    if (typeof taken !== 'string') scene.handle(taken);
  });
}

/** What is wrong with what became of a delivery; counts it as well. */
function outcomeFaults(taken: ReturnType<typeof take>, { isTrue }: Delivery, tally: Tally): string[] {
  const believed = (taken !== 'unsigned') === isTrue ? [] : [`believed: ${String(!isTrue)}`];
  if (typeof taken === 'string') {
    tally[taken]++;
    return believed;
  }
  tally.events += taken.length;
  return [...believed, ...formFaults(taken)];
}

describe('mutated webhooks', () => {
  /** In full: 90,000 and 10,000 (SIP2WA_RUNS=5). */
  const direct = runsOf(18_000, 120_000);
  const seed = Number(process.env['SIP2WA_SEED'] ?? Date.now() % 2 ** 31);

  it(
    `harm nothing on their way to the legs (${direct.runs})`,
    async () => {
      const slowest = new Slowest();
      const tally: Tally = { unsigned: 0, unreadable: 0, events: 0, results: new Map() };
      let scene = await sceneWithCalls();
      const faults: string[] = [];
      for (let nth = 0; nth < direct.runs && faults.length === 0; nth++) {
        const made = delivery(scene, nth, new Dice(seed + nth));
        // The listener refuses it unread; the other test sees to that.
        if (made.body.length > bodyCapBytes) continue;
        let taken: ReturnType<typeof take> = 'unsigned';
        const tookMs = costMs(() => {
          taken = take(made);
          if (typeof taken !== 'string') scene.handle(taken);
        });
        slowest.note(`seed ${seed + nth}`, tookMs, () => alone(made));
        faults.push(...outcomeFaults(taken, made, tally).map((fault) => `seed ${seed + nth}: ${fault}`));
        if (nth % 10 === 0) await scene.settle();
        if (nth % perScene === perScene - 1) {
          await finish(scene, tally);
          scene = await sceneWithCalls();
        }
      }
      expect(faults).toEqual([]);
      await finish(scene, tally);
      expect(polluted()).toEqual([]);
      expect(slowest.longerThan(stallLimitMs)).toEqual([]);
      expect(tally.unsigned).toBeGreaterThan(direct.runs / 20);
      expect(tally.unreadable).toBeGreaterThan(direct.runs / 50);
      for (const result of ['handled', 'duplicate', 'unknown', 'foreign_number', 'ended_before', 'parked']) {
        expect(tally.results.get(result) ?? 0, result).toBeGreaterThan(direct.runs / 10_000);
      }
    },
    direct.timeoutMs,
  );

  const injected = runsOf(2_000, 60_000);

  it(
    `are answered by the listener as they deserve (${injected.runs})`,
    async () => {
      const delivered: (readonly WebhookEvent[])[] = [];
      const logger = new RecordingLogger();
      let scene = await sceneWithCalls();
      const app = webhookApp({
        listen: { host: '127.0.0.1', port: 0 },
        path: '/webhook',
        verifyToken: 'verify',
        appSecrets: () => secrets,
        onDelivery: (events) => {
          delivered.push(events);
          scene.handle(events);
        },
        journal: scene.journal,
        logger,
      });
      const tally: Tally = { unsigned: 0, unreadable: 0, events: 0, results: new Map() };
      const statuses = new Map<number, number>();
      for (let nth = 0; nth < injected.runs; nth++) {
        const { body, header, isTrue } = delivery(scene, nth, new Dice(seed + direct.runs + nth));
        const before = delivered.length;
        const headers = {
          'content-type': 'application/json',
          ...(header !== undefined && { 'x-hub-signature-256': header }),
        };
        const { statusCode } = await app.inject({ method: 'POST', url: '/webhook', headers, payload: body });
        await scene.settle();
        // Too long is said before the signature is looked at.
        const allowed = body.length > bodyCapBytes ? [413] : isTrue ? [200, 400] : [401];
        const isHandedOver = delivered.length > before;
        if (!allowed.includes(statusCode) || isHandedOver !== (statusCode === 200)) {
          expect.fail(`seed ${seed + direct.runs + nth}: ${statusCode}, handed over: ${String(isHandedOver)}`);
        }
        statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1);
        if (nth % perScene === perScene - 1) {
          await finish(scene, tally);
          scene = await sceneWithCalls();
        }
      }
      await finish(scene, tally);
      await app.close();
      const errors = new Set(logger.lines.filter(({ level }) => level === 'error').map(({ message }) => message));
      expect([...errors]).toEqual(['signed webhook cannot be read']);
      expect(polluted()).toEqual([]);
      for (const status of [200, 400, 401]) expect(statuses.get(status) ?? 0).toBeGreaterThan(injected.runs / 50);
    },
    injected.timeoutMs,
  );
});
