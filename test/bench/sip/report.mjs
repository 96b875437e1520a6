import { MOST_P99_MS } from './capacity.mjs';
import { median } from './sampling.mjs';

const MIB = 1024 * 1024;
/** What counts as flat: less than this more heap after so many calls. */
const FLAT_BYTES = 2 * MIB;
const FLAT_CALLS = 100_000;
export const TARGETS = { callsPerSecond: 900, failed: 0, cpuMsPerCall: 0.5 };

const round = (value, digits) => Number(value.toFixed(digits));
const mib = (bytes) => round(bytes / MIB, 1);

/** The figures as one flat-keyed object. */
export function figures({ perSecond, capacity, pairs, memory, totals }) {
  const of = (pick, digits = 3) => round(median(pairs.map(pick)), digits);
  return {
    inbound_calls_per_second: Math.floor(capacity.borne?.perSecond ?? 0),
    failed_calls: totals.reduce((sum, total) => sum + total.failed, 0),
    cpu_ms_per_call: of((pair) => pair.alone.cpuMsPerCall),
    cpu_ms_per_call_with_record: of((pair) => pair.recorded.cpuMsPerCall),
    echo_cpu_ms_per_call: of((pair) => pair.echo.cpuMsPerCall),
    ratio_to_echo: of((pair) => pair.alone.cpuMsPerCall / pair.echo.cpuMsPerCall, 2),
    ratio_to_echo_with_record: of((pair) => pair.recorded.cpuMsPerCall / pair.echo.cpuMsPerCall, 2),
    load_calls_per_second: perSecond,
    answer_ms_p50: of((pair) => pair.alone.answerMs.p50, 2),
    answer_ms_p99: of((pair) => pair.alone.answerMs.p99, 2),
    answer_ms_p50_with_record: of((pair) => pair.recorded.answerMs.p50, 2),
    answer_ms_p99_with_record: of((pair) => pair.recorded.answerMs.p99, 2),
    repeated_requests: sumOf(pairs, 'repeatedByUs'),
    repeated_answers: sumOf(pairs, 'repeatedByServer'),
    stray_datagrams: sumOf(pairs, 'stray'),
    left_in_server: totals.reduce((sum, total) => sum + total.left, 0),
    calls: totals.reduce((sum, total) => sum + total.completed, 0),
    memory: { without_record: memoryOf(memory.bare, totals[0]), with_record: memoryOf(memory.recording, totals[1]) },
    pairs: pairs.map(pairFigures),
    tried: capacity.tried.map(attemptFigures),
  };
}

const sumOf = (pairs, name) => pairs.reduce((sum, { alone, recorded }) => sum + alone[name] + recorded[name], 0);

function memoryOf(series, total) {
  const first = series[0];
  const last = series.at(-1);
  const calls = last.calls - first.calls;
  return {
    calls,
    heap_mib: series.map((point) => mib(point.heap)),
    rss_mib: series.map((point) => mib(point.rss)),
    rss_mib_peak: mib(total.peakRss),
    // Fewer calls prove nothing.
    flat: calls >= FLAT_CALLS ? last.heap - first.heap < FLAT_BYTES : null,
    complaints: last.complaints.count,
  };
}

const loadFigures = (outcome) => ({
  completed: outcome.completed,
  failures: outcome.failures,
  calls_per_second: round(outcome.perSecond, 1),
  cpu_ms_per_call: round(outcome.cpuMsPerCall, 4),
  answer_ms_p50: round(outcome.answerMs.p50, 2),
  answer_ms_p99: round(outcome.answerMs.p99, 2),
  answer_ms_max: round(outcome.answerMs.max, 1),
});

const pairFigures = ({ alone, echo, recorded }) => ({
  without_record: loadFigures(alone),
  with_record: loadFigures(recorded),
  echo: { calls: echo.calls, lost_datagrams: echo.lost, cpu_ms_per_call: round(echo.cpuMsPerCall, 4) },
});

const attemptFigures = (it) => ({
  wanted: it.wanted,
  seconds: it.seconds,
  completed_per_second: round(it.perSecond, 1),
  failed: it.failed,
  answer_ms_p99: round(it.answerMs.p99, 1),
  held: it.isHeld,
});

/** The figures for people. */
export function table(result) {
  const { memory } = result;
  const target = (isMet, text) => `${isMet ? 'met' : 'MISSED'}: ${text}`;
  const rows = [
    ['', 'without record', 'with record', 'target'],
    [
      'inbound calls/s, none failed',
      result.inbound_calls_per_second,
      '',
      target(result.inbound_calls_per_second >= TARGETS.callsPerSecond, `at least ${TARGETS.callsPerSecond}`),
    ],
    ['failed calls', result.failed_calls, '', target(result.failed_calls === TARGETS.failed, TARGETS.failed)],
    [
      'CPU per call, ms',
      result.cpu_ms_per_call,
      result.cpu_ms_per_call_with_record,
      target(result.cpu_ms_per_call <= TARGETS.cpuMsPerCall, `at most ${TARGETS.cpuMsPerCall}`),
    ],
    ['bare datagram echo, ms', result.echo_cpu_ms_per_call, '', ''],
    ['ratio to the echo', result.ratio_to_echo, result.ratio_to_echo_with_record, ''],
    ['INVITE to 200, p50, ms', result.answer_ms_p50, result.answer_ms_p50_with_record, ''],
    ['INVITE to 200, p99, ms', result.answer_ms_p99, result.answer_ms_p99_with_record, ''],
    ['heap, MiB', ...memoryCells(memory, 'heap_mib'), flatness(memory)],
    ['resident, MiB', ...memoryCells(memory, 'rss_mib'), ''],
    ['resident at most, MiB', memory.without_record.rss_mib_peak, memory.with_record.rss_mib_peak, ''],
  ];
  return [
    ...machineLines(result),
    '',
    ...columns(rows),
    '',
    `CPU, ratio and answer times at ${result.load_calls_per_second} calls/s, median of ${result.pairs.length};`,
    `highest rate: 99 of 100 answers within ${MOST_P99_MS} ms. Requests repeated: ${result.repeated_requests}, answers`,
    `repeated: ${result.repeated_answers}, datagrams of no call: ${result.stray_datagrams}, left in the server: ${result.left_in_server}.`,
  ].join('\n');
}

function memoryCells({ without_record: alone, with_record: recorded }, name) {
  return [alone, recorded].map((it) => `${it[name][0]} to ${it[name].at(-1)}`);
}

function flatness({ without_record: alone, with_record: recorded }) {
  const calls = Math.min(alone.calls, recorded.calls).toLocaleString('en');
  if (alone.flat === null || recorded.flat === null) return `after ${calls} calls only`;
  return `${alone.flat && recorded.flat ? 'met' : 'MISSED'}: flat after ${calls} calls`;
}

function machineLines({ machine, plan, load_before: load, quiet, seconds, stolen_share: stolen }) {
  const pinned = machine.pinned ? 'server on one, load on the other' : 'NOT PINNED';
  return [
    `${machine.cpu}, ${machine.cores} cores (${pinned}), ${machine.memory_mib} MiB, Linux ${machine.kernel}`,
    `node ${machine.node}, drachtio-srf ${machine.drachtio_srf}, ${machine.date}, ${plan} run of ${seconds} s`,
    quiet ? `quiet before the run (load ${load})` : `NOT QUIET: load ${load} before the run, figures are too high`,
    ...(stolen > 0.01
      ? [`the host gave ${(stolen * 100).toFixed(0)} % of the processors' time to others: figures are too high`]
      : []),
  ];
}

function columns(rows) {
  const widths = rows[0].map((_cell, column) => Math.max(...rows.map((row) => String(row[column]).length)));
  const line = (row) =>
    row
      .map((cell, column) => String(cell).padEnd(widths[column]))
      .join('  ')
      .trimEnd();
  return rows.map(line);
}
