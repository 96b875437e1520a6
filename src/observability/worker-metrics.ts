import { Counter, Gauge, type Registry } from 'prom-client';

/** One media worker, as the metrics show it. */
export interface WorkerFigures {
  readonly name: string;
  readonly isReady: boolean;
  readonly calls: number;
  /** Workers of this name that ended by themselves. */
  readonly lost: number;
  readonly load:
    | {
        readonly loopDelayMs: number;
        readonly cpuMs: number;
        readonly rssBytes: number;
        readonly lostLogLines: number;
        readonly opusComplexity: number;
      }
    | undefined;
}

type Read = (worker: WorkerFigures) => number | undefined;

/** Shows the media workers, each by its place's name, when the metrics are read. Nothing is shown without workers. */
export function registerWorkerMetrics(registry: Registry, workers: () => readonly WorkerFigures[]): void {
  const each = (read: Read, show: (labels: { worker: string }, value: number) => void): void => {
    for (const worker of workers()) {
      const value = read(worker);
      if (value !== undefined) show({ worker: worker.name }, value);
    }
  };
  const common = (name: string, help: string) => ({
    ...{ name: `sip2wa_media_worker_${name}`, help, labelNames: ['worker'] as const, registers: [registry] },
  });
  const gauge = (name: string, help: string, read: Read): void => {
    const collect = function (this: Gauge<'worker'>): void {
      this.reset();
      each(read, (labels, value) => this.set(labels, value));
    };
    new Gauge({ ...common(name, help), collect });
  };
  const counter = (name: string, help: string, read: Read): void => {
    const collect = function (this: Counter<'worker'>): void {
      this.reset();
      each(read, (labels, value) => this.inc(labels, value));
    };
    new Counter({ ...common(name, help), collect });
  };
  gauge('up', 'Whether the media worker takes calls.', ({ isReady }) => Number(isReady));
  counter('restarts_total', 'Media workers of this place that died or hung.', ({ lost }) => lost);
  gauge('calls', 'Calls whose media is in the worker.', ({ calls }) => calls);
  gauge('loop_delay_seconds', 'Lateness of its event loop in the last half second: 99th percentile.', ({ load }) =>
    seconds(load?.loopDelayMs),
  );
  counter('cpu_seconds_total', 'Processor time of the worker; begins anew with each.', ({ load }) =>
    seconds(load?.cpuMs),
  );
  gauge('resident_memory_bytes', 'Resident memory of the worker.', ({ load }) => load?.rssBytes);
  gauge(
    'opus_complexity',
    'Complexity that Opus is coded with: 5, or less when the worker has too much to do.',
    ({ load }) => {
      return load?.opusComplexity;
    },
  );
  counter('lost_log_lines_total', 'Log lines that the worker dropped, as they were too many.', ({ load }) => {
    return load?.lostLogLines;
  });
}

const seconds = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : ms / 1000);
