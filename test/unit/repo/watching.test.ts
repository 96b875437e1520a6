import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { registerHepMetrics } from '../../../src/observability/hep/hep-metrics.js';
import { noUsage } from '../../../src/media/media-usage.js';
import { RecordMetrics } from '../../../src/observability/cdr/record-metrics.js';
import { MediaMetrics } from '../../../src/observability/media-metrics.js';
import { registerMediaUsageMetrics } from '../../../src/observability/media-usage-metrics.js';
import { Metrics } from '../../../src/observability/metrics.js';
import { registerPermissionMetrics } from '../../../src/observability/permission-metrics.js';
import { PostDialDelay } from '../../../src/observability/post-dial-delay.js';
import { registerTracingMetrics } from '../../../src/observability/tracing/tracing-metrics.js';
import { registerWorkerMetrics } from '../../../src/observability/worker-metrics.js';
import { textOf } from './repository.js';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly targets?: readonly { readonly expr: string; readonly datasource: { readonly uid: string } }[];
}

const dashboard = JSON.parse(textOf('config/grafana/dashboards/sip2wa.json')) as { readonly panels: readonly Panel[] };
const alerts = parse(textOf('config/prometheus/alerts.yml')) as {
  readonly groups: readonly [{ readonly rules: readonly Rule[] }];
};
const { rules } = alerts.groups[0];
const charts = dashboard.panels.filter(({ type }) => type !== 'row');
const queries = [
  ...rules.map(({ alert, expr }) => ({ where: `alert ${alert}`, expr })),
  ...charts.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ where: `panel ${title}`, expr }))),
];

/** Words of PromQL that are no names of metrics. */
const isMetric = (word: string): boolean => /^(?:sip2wa|nodejs|process)_/.test(word);
const namesOf = (expr: string): string[] =>
  [...expr.matchAll(/[a-z_][a-z0-9_]*/g)].map(([word]) => word).filter(isMetric);

/** `name{...}` and `by (...)`: every label that a query selects or groups by. */
function labelsOf(expr: string): string[] {
  const selected = [...expr.matchAll(/\{([^}]*)\}/g)].flatMap(([, inside = '']) =>
    [...inside.matchAll(/(\w+)\s*(?:=~|!=|!~|=)/g)].map(([, label = '']) => label),
  );
  const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, inside = '']) => inside.split(/,\s*/));
  return [...selected, ...grouped].filter((label) => !['le', 'job'].includes(label));
}

/** Names that /metrics shows, with the labels of each: `_bucket` and the like are the histogram's. */
const labels = new Map<string, readonly string[]>();

beforeAll(async () => {
  const { registry } = new Metrics({ version: 'test' });
  new MediaMetrics(registry);
  registerWorkerMetrics(registry, () => []);
  registerTracingMetrics(registry);
  registerHepMetrics(registry, () => 0);
  registerMediaUsageMetrics(registry, () => noUsage, {});
  registerPermissionMetrics(registry, () => ({}));
  new PostDialDelay(registry);
  new RecordMetrics(registry);
  for (const metric of await registry.getMetricsAsJSON()) {
    const { labelNames = [] } = registry.getSingleMetric(metric.name) as unknown as { labelNames?: readonly string[] };
    const suffixes = String(metric.type) === 'histogram' ? ['_bucket', '_count', '_sum'] : [''];
    for (const suffix of suffixes) labels.set(`${metric.name}${suffix}`, labelNames);
  }
});

describe('alerts and dashboard', () => {
  it('are many enough to be worth holding', () => {
    expect(rules.length).toBeGreaterThan(10);
    expect(charts.length).toBeGreaterThan(15);
    expect(queries.flatMap(({ expr }) => namesOf(expr)).length).toBeGreaterThan(40);
  });

  it.each(queries)('$where asks for metrics that there are: $expr', ({ expr }) => {
    const names = namesOf(expr);
    const own = expr.includes('up{job="sip2wa"}') ? ['up'] : names;
    expect(own).not.toEqual([]);
    expect(names.filter((name) => !labels.has(name))).toEqual([]);
    const known = new Set(names.flatMap((name) => labels.get(name) ?? []));
    expect(labelsOf(expr).filter((label) => !known.has(label))).toEqual([]);
  });

  it.each(rules)(
    '$alert says how bad it is, what it means and what to do',
    ({ alert, labels: { severity }, annotations }) => {
      expect(alert).toMatch(/^Sip2wa[A-Z]\w+$/);
      expect(['page', 'ticket']).toContain(severity);
      expect(annotations.summary).toMatch(/^\S.{10,80}$/);
      expect(annotations.description).toMatch(/^\S[^\n]{30,200}$/);
    },
  );

  it('have names and ids once', () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  });

  it('ask the data source that is provisioned', () => {
    const source = parse(textOf('config/grafana/provisioning/datasources/prometheus.yml')) as {
      readonly datasources: readonly [{ readonly uid: string }];
    };
    const uids = charts.flatMap(({ targets = [] }) => targets.map(({ datasource }) => datasource.uid));
    expect(new Set(uids)).toEqual(new Set([source.datasources[0].uid]));
  });

  it('tells of every metric of its own that can change somewhere', () => {
    const asked = new Set(
      queries.flatMap(({ expr }) => namesOf(expr)).map((name) => name.replace(/_(?:bucket|count|sum)$/, '')),
    );
    const ours = [...labels.keys()]
      .filter((name) => name.startsWith('sip2wa_'))
      .map((name) => name.replace(/_(?:bucket|count|sum)$/, ''));
    const untold = [...new Set(ours)].filter((name) => !asked.has(name));
    expect(untold).toEqual(['sip2wa_build_info', 'sip2wa_webhook_parked']);
  });
});

/** What people who run this look for, with the labels they group by (decision 0362 says which have another name, and why). */
const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  build_info: ['version', 'node'],
  calls_active: ['direction', 'trunk'],
  calls_total: ['direction', 'trunk', 'number', 'result', 'cause'],
  call_setup_seconds_bucket: ['direction'],
  post_dial_delay_seconds_bucket: ['direction'],
  call_duration_seconds_bucket: ['direction'],
  call_end_forced_total: [],
  webhooks_total: ['number', 'event', 'result'],
  webhooks_refused_total: ['reason'],
  webhook_delay_seconds_bucket: ['event'],
  webhook_parked: [],
  graph_requests_total: ['operation', 'code'],
  graph_request_seconds_bucket: ['operation'],
  graph_rate_limited_total: ['operation'],
  permissions: ['state'],
  trunk_up: ['trunk', 'server'],
  trunk_qualify_seconds_bucket: ['trunk'],
  drachtio_connected: [],
  rtp_packets_total: ['leg', 'dir'],
  rtp_lost_packets_total: ['leg', 'dir'],
  rtp_jitter_seconds_bucket: ['leg', 'dir'],
  rtp_round_trip_seconds_bucket: ['leg'],
  transcode_frames_total: ['from', 'to'],
  media_worker_loop_delay_seconds: ['worker'],
  ports_in_use: ['leg'],
  settings_drift: ['number'],
  config_reloads_total: ['result'],
  config_last_success_timestamp_seconds: [],
  draining: [],
  hep_dropped_total: [],
  tracing_dropped_total: ['reason'],
  cdr_records_total: ['sink', 'result'],
  cdr_spooled: [],
};

describe('metrics', () => {
  it.each(Object.entries(EXPECTED))('have %s by %j', (name, by) => {
    expect(labels.get(`sip2wa_${name}`)).toEqual(by);
  });
});
