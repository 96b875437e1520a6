import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { csvFormat } from '../../src/observability/cdr/csv-format.js';
import { jsonlFormat } from '../../src/observability/cdr/jsonl-format.js';
import type { RecordFormat } from '../../src/observability/cdr/record-format.js';
import { Dice } from '../support/dice.js';
import { until } from '../support/until.js';
import { withheldMs } from '../support/withheld-time.js';
import { RecordEndpoint } from '../support/record-endpoint.js';
import type { CountingMeta } from './counting-meta.js';
import type { CountingPbx } from './counting-pbx.js';
import type { DaemonProcess } from './daemon-process.js';
import { ProcessScene } from './process-scene.js';

/** How often the daemon is killed; in full: `SIP2WA_KILLS=100`. */
const KILLS = Number(process.env['SIP2WA_KILLS'] ?? 15);
const CALLS = 20;
/** Calls after each recovery: no other call is this user's. */
const CLEAN_USER = '491700000001';
/** The calls of a round begin within this time, and the kill comes somewhere in it or up to a second later. */
const LOAD_MS = 1500;
/** By then, from the start of the new process, no leg is up on either side; what other work on the machine takes does not count. */
const RECOVERY_MS = 5000;
/** However little of the machine there is. */
const HARD_LIMIT_MS = 20_000;

const random = new Dice(Number(process.env['SIP2WA_SEED'] ?? Date.now() % 2 ** 31));
const figures: { readonly atKill: string; readonly recoveryMs: number }[] = [];
let scene: ProcessScene;
let meta: CountingMeta;
let pbx: CountingPbx;
let billing: RecordEndpoint;
let daemon: DaemonProcess;
let sip: { host: string; port: number };

beforeAll(async () => {
  billing = await RecordEndpoint.start();
  const cdr = `csv_file: "@FOLDER@/cdr.csv", http_url: "${billing.url}", http_spool_dir: "@FOLDER@/spool"`;
  scene = await ProcessScene.start('', cdr);
  ({ meta, pbx, daemon, sip } = scene);
});

afterAll(async () => {
  await daemon.stop();
  await scene.close();
  await billing.close();
  const times = figures.map(({ recoveryMs }) => recoveryMs).sort((a, b) => a - b);
  const median = times[Math.floor(times.length / 2)];
  process.stderr.write(
    `kills ${times.length}, recovery ms: median ${median}, longest ${times.at(-1)}; seed ${random.seed}\n`,
  );
  for (const { atKill, recoveryMs } of figures) process.stderr.write(`  ${recoveryMs} ms: ${atKill}\n`);
});

const maybe = (share: number, low: number, high: number): number | undefined =>
  random.chance(share) ? random.between(low, high) : undefined;

/** Calls of both directions with every kind of ending, spread over the load's time. Returns how to stop further ones. */
function load(): () => void {
  pbx.script = () => ({
    ringMs: random.between(0, 80),
    hasEarlyMedia: random.chance(0.3),
    answerMs: maybe(0.7, 80, 700),
    hangupMs: maybe(0.3, 700, 1800),
  });
  meta.script = () => ({
    replyMs: random.between(0, 120),
    ringMs: random.between(0, 150),
    answerMs: maybe(0.7, 150, 700),
    rejectMs: maybe(0.2, 150, 900),
    hangupMs: maybe(0.3, 700, 1800),
  });
  const timers = Array.from({ length: CALLS }, (_, index) =>
    setTimeout(
      () => {
        const user = `49170${random.between(1_000_000, 9_999_999)}`;
        if (index % 2 === 0) meta.userCall(user, maybe(0.3, 100, 1500));
        else pbx.place(user, sip, { cancelMs: maybe(0.2, 20, 600), hangupMs: maybe(0.3, 700, 1800) });
      },
      random.between(0, LOAD_MS),
    ),
  );
  return () => timers.forEach(clearTimeout);
}

/** Calls that have a row in a file of records. */
const callsOf = (name: string, format: RecordFormat): string[] =>
  readFileSync(scene.path(name), 'utf8')
    .split(/\r?\n/)
    .flatMap((line) => format.callOf(line) ?? []);
const spooled = (): string[] => readdirSync(scene.path('spool')).filter((name) => name.endsWith('.json'));

function legsUp(): string {
  const sipLegs = pbx.up.map(({ kind, state, history }) => `SIP ${kind} ${state}: ${history.join(', ')}`);
  const waLegs = meta.up.map(({ id, direction, history }) => `${direction} ${id}: ${history.join(', ')}`);
  return [...sipLegs, ...waLegs].join('\n');
}

/** Time from now, without what the daemon to be started, or Meta and the PBX in this process, waited for a core; the longer of both. */
function stopwatch(): () => number {
  const startMs = performance.now();
  const oursMs = withheldMs(process.pid);
  const waitedMs = (): number => Math.max(withheldMs(process.pid) - oursMs, withheldMs(daemon.pid ?? 0));
  return () => performance.now() - startMs - waitedMs();
}

/** A user's call that is answered, heard of on both sides, and hung up. */
async function cleanCall(): Promise<void> {
  pbx.script = () => ({ ringMs: 0, hasEarlyMedia: false, answerMs: 20, hangupMs: undefined });
  const call = meta.userCall(CLEAN_USER);
  await until(() => call.accepted, `accept of a clean call\n${daemon.tail()}`, 5000);
  meta.hangup(call);
  await until(() => pbx.up.length === 0, 'BYE of a clean call', 5000);
}

describe('kill -9 at a random moment under load', () => {
  it.each(Array.from({ length: KILLS }, (_, index) => index + 1))(
    'kill %i: 5 s after the restart no leg is up on either side, and calls are taken',
    async () => {
      const stopLoad = load();
      const momentMs = random.between(100, LOAD_MS + 1000);
      await new Promise((resolve) => setTimeout(resolve, momentMs));
      stopLoad();
      await daemon.kill();
      pbx.forgetUnheard();
      meta.forgetUnheard();
      const count = (state: string): number => pbx.up.filter((leg) => leg.state === state).length;
      const wa = meta.up.length;
      const atKill = `after ${momentMs} ms; SIP calling ${count('calling')}, ringing ${count('ringing')}, answered ${count('answered')}; WhatsApp ${wa}`;
      const tookMs = stopwatch();
      daemon.start();
      const noLegs = (): boolean => pbx.up.length === 0 && meta.up.length === 0;
      const isOver = (): boolean => noLegs() || tookMs() > RECOVERY_MS;
      await until(isOver, `end of all legs; ${atKill}`, HARD_LIMIT_MS).catch(() => undefined);
      const recoveryMs = Math.round(tookMs());
      const told = `${atKill}; ${recoveryMs} ms; seed ${random.seed}`;
      if (!noLegs()) throw new Error(`never came about: end of all legs; ${told}\n${legsUp()}\n${daemon.tail()}`);
      figures.push({ atKill, recoveryMs });
      await daemon.ready();
      await cleanCall();
    },
    60_000,
  );

  it('left one record of every call in both files, and posted each at least once', async () => {
    // The record of the last call of all, a clean one, is on its way when its BYE is.
    const cleanOnes = (): number =>
      readFileSync(scene.path('cdr.jsonl'), 'utf8')
        .split('\n')
        .filter((line) => line.includes(CLEAN_USER)).length;
    const posted = (): string[] => [...new Set(billing.taken.map(({ key }) => key ?? ''))].sort();
    const counts = (): number[] =>
      [callsOf('cdr.jsonl', jsonlFormat), callsOf('cdr.csv', csvFormat), posted()].map(({ length }) => length);
    const isSettled = (): boolean => cleanOnes() >= KILLS && spooled().length === 0 && new Set(counts()).size === 1;
    await until(isSettled, 'an empty spool and as many records everywhere', 10_000).catch((error: unknown) => {
      const found = { clean: cleanOnes(), spooled: spooled(), jsonlCsvPosted: counts() };
      throw new Error(`${String(error)}; ${JSON.stringify(found)}; seed ${random.seed}\n${daemon.tail()}`);
    });
    const rows = callsOf('cdr.jsonl', jsonlFormat);
    expect(rows.length).toBeGreaterThan(KILLS);
    expect(new Set(rows).size).toBe(rows.length);
    expect(callsOf('cdr.csv', csvFormat).sort()).toEqual([...rows].sort());
    expect(posted()).toEqual([...rows].sort());
  });

  it('met calls in every state', () => {
    const sum = (pattern: RegExp): number =>
      figures.reduce((total, { atKill }) => total + Number(pattern.exec(atKill)?.[1] ?? 0), 0);
    expect(figures).toHaveLength(KILLS);
    expect(sum(/ringing (\d+)/)).toBeGreaterThan(KILLS / 3);
    expect(sum(/answered (\d+)/)).toBeGreaterThan(KILLS / 3);
    expect(sum(/WhatsApp (\d+)/)).toBeGreaterThan(KILLS);
  });
});
