import { FakeClock } from '../../src/lib/clock.js';
import { HttpRecords, type HttpRecordsOptions } from '../../src/observability/cdr/http-records.js';
import { RecordingLogger } from './recording-logger.js';
import { settled } from './eventually.js';
import { SpoolDisk, type DiskOfProcess } from './spool-disk.js';

/** How a receiver answers one request: a status, no answer although it took the record, or no connection. */
export type Answer = number | 'silent' | 'unreachable';

export interface Request {
  readonly call: string;
  readonly key: string | null;
  readonly token: string | null;
  readonly url: string;
  readonly redirect: string | undefined;
  readonly answer: Answer;
  readonly atMs: number;
}

export const SPOOL = '/spool';
export const RECEIVER = 'https://billing.example/records';

/** Whoever takes records, without a socket: answers by script, then with 200. */
export class ReceiverDouble {
  readonly requests: Request[] = [];
  answers: Answer[] = [];
  headers: Record<string, string> = {};

  /** Calls whose record was taken, in the order of the first time. */
  get taken(): string[] {
    const calls = this.requests.filter(({ answer }) => answer === 'silent' || answer === 200).map(({ call }) => call);
    return [...new Set(calls)];
  }

  fetchOf(disk: DiskOfProcess, clock: FakeClock): typeof fetch {
    return (async (url: string, init: RequestInit) => {
      const answer = await disk.step(() => this.#take(url, init, clock));
      // The process may die between the receiver's taking the record and its answer.
      return disk.step(() => answer()).then((response) => response);
    }) as typeof fetch;
  }

  #take(url: string, init: RequestInit, clock: FakeClock): () => Promise<Response> {
    const answer = this.answers.shift() ?? 200;
    const headers = new Headers(init.headers);
    const { call } = JSON.parse(init.body as string) as { call: string };
    const [key, token] = [headers.get('idempotency-key'), headers.get('authorization')];
    const { redirect } = init;
    this.requests.push({ call, key, token, url, redirect, answer, atMs: clock.monotonicMs() });
    return () => {
      if (answer === 'silent') return new Promise(() => undefined);
      if (answer === 'unreachable') {
        const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
        return Promise.reject(new TypeError('fetch failed', { cause }));
      }
      return Promise.resolve(new Response('as you like', { status: answer, headers: this.headers }));
    };
  }
}

/** A sink that sends, on a disk of its own or on that of a process that died. */
export function httpScene(...args: Parameters<typeof asleepScene>) {
  const scene = asleepScene(...args);
  scene.sink.wake();
  return scene;
}

/** The same of a daemon that is not up yet. */
export function asleepScene(options: Partial<HttpRecordsOptions> = {}, disk = new SpoolDisk(), files = disk.process()) {
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const receiver = new ReceiverDouble();
  const counted: Record<string, number> = {};
  const start = (to: ReceiverDouble, process: DiskOfProcess): HttpRecords =>
    new HttpRecords({
      receiver: () => ({ url: RECEIVER, token: 'secret-token' }),
      ...{ directory: SPOOL, limitBytes: 1024 * 1024, clock, random: () => 0, logger, files: process },
      fetch: to.fetchOf(process, clock),
      count: (result, records) => void (counted[result] = (counted[result] ?? 0) + records),
      ...options,
    });
  const sink = start(receiver, files);
  return { clock, logger, receiver, counted, sink, disk, files, start };
}

/** Lets time pass until nothing waits any more, or the process is dead. */
export async function runDown(sink: HttpRecords, clock: FakeClock, isOver: () => boolean): Promise<void> {
  for (let turn = 0; turn < 500; turn++) {
    await settled();
    if (isOver()) return;
    clock.fireNext(Number.POSITIVE_INFINITY);
  }
  throw new Error(`never came to an end: ${JSON.stringify(sink.backlog)}`);
}
