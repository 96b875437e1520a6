import { median } from '../sip/sampling.mjs';

const KIB = 1024;
/** Ratios and limits that the engine is to keep. */
export const TARGETS = {
  callsVsDgram: 0.5,
  callsVsStock: 4,
  cpuVsDgram: 1.5,
  cpuVsRtpengine: 1.5,
  transcodeVsRtpengine: 2.5,
  halfP99Ms: 3,
  halfMaxMs: 25,
  setUpMs: 50,
  callKib: 300,
};

const round = (value, digits = 2) => (Number.isFinite(value) ? Number(value.toFixed(digits)) : null);
const middle = (values, digits) => {
  const known = values.filter((value) => Number.isFinite(value));
  return known.length === 0 ? null : round(median(known), digits);
};
const worstWay = ({ toWhatsApp, toPbx }, name) => Math.max(toWhatsApp[name], toPbx[name]) / 1000;

/** The figures as one object: medians over the repeats; what was not measured is null. */
export function figures(measured) {
  const { passthrough, transcode, g722, stock } = measured;
  const of = (repeats, pick, digits) => middle(repeats.map(pick), digits);
  const stockCalls = middle(stock.map(({ knee }) => knee));
  const calls = of(passthrough, ({ ours }) => ours.knee);
  return {
    passthrough_calls_vs_dgram: of(passthrough, ({ ours, dgram }) => kneeRatio(ours, dgram)),
    passthrough_cpu_vs_dgram: of(passthrough, ({ ours, dgram }) => cpuRatio(ours, dgram)),
    passthrough_cpu_vs_rtpengine: of(passthrough, ({ ours, rtpengine }) => cpuRatio(ours, rtpengine)),
    passthrough_calls_vs_stock: stockCalls ? round(calls / stockCalls) : null,
    transcode_calls_vs_rtpengine: of(transcode, ({ ours, rtpengine }) => kneeRatio(ours, rtpengine)),
    ...setUpFigures(measured.setUps),
    passthrough_calls: calls,
    dgram_calls: of(passthrough, ({ dgram }) => dgram.knee),
    stock_werift_calls: stockCalls,
    transcode_calls: of(transcode, ({ ours }) => ours.knee),
    rtpengine_transcode_calls: of(transcode, ({ rtpengine }) => rtpengine?.knee ?? NaN),
    g722_calls: of(g722, ({ ours }) => ours.knee),
    compared_at_calls: passthrough[0]?.ours.compared.calls ?? null,
    passthrough_cpu_ms_per_1000: of(passthrough, ({ ours }) => ours.compared.cpuMsPer1000),
    dgram_cpu_ms_per_1000: of(passthrough, ({ dgram }) => dgram.compared.cpuMsPer1000),
    rtpengine_cpu_ms_per_1000: of(passthrough, ({ rtpengine }) => rtpengine?.compared.cpuMsPer1000 ?? NaN),
    transcode_cpu_ms_per_1000: of(transcode, ({ ours }) => ours.compared.cpuMsPer1000),
    // Coded with less effort while the worker has much to do: libopus' complexity at the most calls, 5 by default.
    transcode_opus_complexity: of(transcode, ({ ours }) => ours.atKnee?.opusComplexity ?? NaN),
    transcode_cpu_opus_complexity: of(transcode, ({ ours }) => ours.compared.opusComplexity),
    transcode_half_load_opus_complexity: of(transcode, ({ ours }) => ours.half.opusComplexity),
    rtpengine_transcode_cpu_ms_per_1000: of(transcode, ({ rtpengine }) => rtpengine?.atKnee?.cpuMsPer1000 ?? NaN),
    g722_cpu_ms_per_1000: of(g722, ({ ours }) => ours.compared.cpuMsPer1000),
    ...halfFigures('passthrough', passthrough),
    ...halfFigures('transcode', transcode),
    ...halfFigures('g722', g722),
    ...memoryFigures(measured.memory),
    repeats: { passthrough: passthrough.length, transcode: transcode.length, g722: g722.length, stock: stock.length },
    searches_cut_short: [...passthrough, ...transcode, ...g722]
      .flatMap(({ ours, dgram, rtpengine }) => [ours, dgram, rtpengine])
      .filter((search) => search?.isCut).length,
    complaints: [...passthrough, ...transcode, ...g722].reduce((sum, { ours }) => sum + ours.complaints.count, 0),
    tried: {
      passthrough: passthrough.map(({ ours }) => ours.tried.map(attempt)),
      dgram: passthrough.map(({ dgram }) => dgram.tried.map(attempt)),
      transcode: transcode.map(({ ours }) => ours.tried.map(attempt)),
      rtpengine_transcode: transcode.map(({ rtpengine }) => rtpengine?.tried.map(attempt) ?? []),
      g722: g722.map(({ ours }) => ours.tried.map(attempt)),
      stock_werift: stock.map(({ tried }) => tried.map(attempt)),
    },
  };
}

/** A search that time cut short has found too little: it is compared with nothing. */
const kneeRatio = (ours, other) => (!other || ours.isCut || other.isCut ? NaN : ours.knee / (other.knee || NaN));
const cpuRatio = (ours, other) => ours.compared.cpuMsPer1000 / (other?.compared.cpuMsPer1000 ?? NaN);

function halfFigures(name, repeats) {
  const of = (pick) => middle(repeats.map(({ ours }) => pick(ours.half)));
  return {
    [`${name}_half_load_p99_ms`]: of((half) => worstWay(half, 'p99Us')),
    [`${name}_half_load_max_ms`]: of((half) => worstWay(half, 'maxUs')),
    // What a codec and its buffers take of themselves is no added delay: it is told apart.
    [`${name}_own_delay_ms`]: of((half) => worstWay(half, 'leastUs')),
  };
}

/** `setup_ms_median` is the slowest of the kinds' medians. */
function setUpFigures(setUps) {
  if (!setUps) return { setup_ms_median: null, first_audio_ms_median: null, setup: null };
  const kinds = Object.entries(setUps).map(([kind, times]) => {
    const upMs = times.map((time) => time.upMs);
    return [
      kind.replace(/\W/g, '_'),
      {
        set_ups: times.length,
        up_ms_median: middle(upMs, 1),
        up_ms_max: round(Math.max(...upMs), 1),
        first_audio_ms_median: middle(
          times.map((time) => time.audioMs),
          1,
        ),
      },
    ];
  });
  const slowest = (name) => Math.max(...kinds.map(([, kind]) => kind[name]));
  return {
    setup_ms_median: slowest('up_ms_median'),
    first_audio_ms_median: slowest('first_audio_ms_median'),
    setup: Object.fromEntries(kinds),
  };
}

function memoryFigures(memory) {
  if (!memory) return { kib_per_call: null, heap_kib_per_call: null, memory_calls: null };
  const perCall = (pick) => round((pick(memory.after) - pick(memory.before)) / memory.calls / KIB, 0);
  return {
    kib_per_call: perCall(({ rss }) => rss),
    heap_kib_per_call: perCall(({ heapUsed, external }) => heapUsed + external),
    memory_calls: memory.calls,
  };
}

function attempt(window) {
  if (!window.toWhatsApp) return { calls: window.calls, fault: window.fault };
  const { calls, fault, cpuMsPer1000, cores, lateP99Us, opusComplexity } = window;
  return {
    calls,
    ...(fault ? { fault } : {}),
    ...(opusComplexity === undefined ? {} : { opus_complexity: opusComplexity }),
    p99_ms: [window.toWhatsApp, window.toPbx].map((way) => round(way.p99Us / 1000)),
    max_ms: [window.toWhatsApp, window.toPbx].map((way) => round(way.maxUs / 1000)),
    own_delay_ms: [window.toWhatsApp, window.toPbx].map((way) => round(way.leastUs / 1000)),
    cpu_ms_per_1000: round(cpuMsPer1000, 1),
    cores: round(cores),
    load_late_ms: round(lateP99Us / 1000),
  };
}

/** The figures for people. */
export function table(result) {
  const rows = [
    ['', 'sip2wa', 'dgram', 'rtpengine', 'stock werift', 'target'],
    ...[...passthroughRows(result), ...otherRows(result), ...setUpRows(result)].filter(isMeasured),
  ];
  const { passthrough, transcode, g722, stock } = result.repeats;
  return [
    ...machineLines(result),
    '',
    ...columns(rows),
    '',
    `Medians of ${passthrough} (passthrough), ${transcode} (Opus to PCMA), ${g722} (G.722), ${stock} (stock werift) repeats;`,
    `CPU of passthrough compared at ${shown(result.compared_at_calls)} calls; ${result.complaints} warnings logged by the engine.`,
  ].join('\n');
}

function passthroughRows(it) {
  return [
    [
      'passthrough, calls a core',
      it.passthrough_calls,
      it.dgram_calls,
      '',
      it.stock_werift_calls,
      both(
        atLeast(it.passthrough_calls_vs_dgram, TARGETS.callsVsDgram, 'dgram'),
        atLeast(it.passthrough_calls_vs_stock, TARGETS.callsVsStock, 'stock'),
      ),
    ],
    [
      'ms CPU per 1,000 packets',
      it.passthrough_cpu_ms_per_1000,
      it.dgram_cpu_ms_per_1000,
      it.rtpengine_cpu_ms_per_1000,
      '',
      both(
        atMost(it.passthrough_cpu_vs_dgram, TARGETS.cpuVsDgram, 'dgram'),
        atMost(it.passthrough_cpu_vs_rtpengine, TARGETS.cpuVsRtpengine, 'rtpengine'),
      ),
    ],
    [
      'p99 at half load, ms',
      it.passthrough_half_load_p99_ms,
      '',
      '',
      '',
      target(it.passthrough_half_load_p99_ms, TARGETS.halfP99Ms),
    ],
    [
      'longest at half load, ms',
      it.passthrough_half_load_max_ms,
      '',
      '',
      '',
      target(it.passthrough_half_load_max_ms, TARGETS.halfMaxMs),
    ],
    ['KiB a held call', it.kib_per_call, '', '', '', target(it.kib_per_call, TARGETS.callKib)],
  ];
}

function otherRows(it) {
  return [
    [
      'Opus to PCMA, calls a core',
      it.transcode_calls,
      '',
      it.rtpengine_transcode_calls,
      '',
      atLeast(it.transcode_calls_vs_rtpengine, TARGETS.transcodeVsRtpengine, 'rtpengine'),
    ],
    ['  at complexity', it.transcode_opus_complexity, '', '', '', ''],
    ['ms CPU per 1,000 packets', it.transcode_cpu_ms_per_1000, '', it.rtpengine_transcode_cpu_ms_per_1000, '', ''],
    [
      'p99 at half load, ms',
      it.transcode_half_load_p99_ms,
      '',
      '',
      '',
      target(it.transcode_half_load_p99_ms, TARGETS.halfP99Ms),
    ],
    ['Opus to G.722, calls a core', it.g722_calls, '', '', '', ''],
    ['ms CPU per 1,000 packets', it.g722_cpu_ms_per_1000, '', '', '', ''],
  ];
}

function setUpRows({ setup }) {
  return Object.entries(setup ?? {}).flatMap(([kind, it]) => [
    [`set-up, ${kind.replaceAll('_', ' ')}, ms`, it.up_ms_median, '', '', '', target(it.up_ms_median, TARGETS.setUpMs)],
    ['  to the first audio, ms', it.first_audio_ms_median, '', '', '', ''],
  ]);
}

const shown = (value) => value ?? '-';
const verdict = (isMet) => (isMet ? 'met' : 'MISSED');
const atLeast = (ratio, least, of) =>
  ratio === null ? '' : `${verdict(ratio >= least)}: ${ratio} of ${of}, at least ${least}`;
const atMost = (ratio, most, of) =>
  ratio === null ? '' : `${verdict(ratio <= most)}: ${ratio} of ${of}, at most ${most}`;
const both = (...parts) => parts.filter((part) => part !== '').join('; ');
const isMeasured = ([, ...cells]) => cells.some((cell) => cell !== null && cell !== '');
const target = (value, most) => (value === null ? '' : `${verdict(value <= most)}: at most ${most}`);

function machineLines({ machine, plan, load_before: load, quiet, seconds, stolen_share: stolen }) {
  const pinned = machine.pinned ? 'relays on one, load on the other' : 'NOT PINNED';
  return [
    `${machine.cpu}, ${machine.cores} cores (${pinned}), ${machine.memory_mib} MiB, Linux ${machine.kernel}`,
    `node ${machine.node}, werift ${machine.werift}, rtpengine ${shown(machine.rtpengine)}, ${machine.date}, ${plan} run of ${seconds} s`,
    quiet ? `quiet before the run (load ${load})` : `NOT QUIET: load ${load} before the run, figures are too low`,
    ...(stolen > 0.01
      ? [`the host gave ${(stolen * 100).toFixed(0)} % of the processors' time to others: figures are too low`]
      : []),
  ];
}

function columns(rows) {
  const cells = rows.map((row) => row.map((cell) => String(shown(cell))));
  const widths = cells[0].map((_cell, column) => Math.max(...cells.map((row) => row[column].length)));
  return cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  );
}
