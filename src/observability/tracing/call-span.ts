import type { TimelineEntry } from '../timeline.js';

export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** A step within a span. */
export interface SpanEvent {
  readonly name: string;
  /** Unix milliseconds. */
  readonly atMs: number;
  readonly attributes: SpanAttributes;
}

/** One span of a call's trace, as data: it knows nothing of who sends it. Times are Unix milliseconds. */
export interface CallSpan {
  readonly name: string;
  /** OpenTelemetry's words: somebody asked us, we asked somebody, or neither. */
  readonly kind: 'server' | 'client' | 'internal';
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: SpanAttributes;
  readonly events: readonly SpanEvent[];
  /** What failed, as a short stable word; undefined: nothing did. */
  readonly error: string | undefined;
  readonly children: readonly CallSpan[];
}

/** A step of the timeline at its place between the start and the end that the call's record names. */
export interface Moment {
  readonly step: TimelineEntry['step'];
  /** Unix milliseconds. */
  readonly atMs: number;
  readonly detail: TimelineEntry['detail'];
}

/** What a span may say beyond its name and times. */
type SpanMore = Partial<Pick<CallSpan, 'kind' | 'attributes' | 'events' | 'error' | 'children'>>;

/** A span; one whose end was found to lie before its start has no length. Children are cut to it: their times are rounded. */
export function span(name: string, startMs: number, endMs: number, more: SpanMore = {}): CallSpan {
  const { kind = 'internal', attributes = {}, events = [], error, children = [] } = more;
  const bounds = { startMs, endMs: Math.max(startMs, endMs) };
  return { name, kind, ...bounds, attributes, events, error, children: children.map((one) => within(one, bounds)) };
}

function within(one: CallSpan, { startMs, endMs }: Pick<CallSpan, 'startMs' | 'endMs'>): CallSpan {
  const cut = (atMs: number): number => Math.min(endMs, Math.max(startMs, atMs));
  const bounds = { startMs: cut(one.startMs), endMs: cut(one.endMs) };
  return { ...one, ...bounds, children: one.children.map((child) => within(child, bounds)) };
}

/** The first moment of one of these steps whose detail fits. */
export function firstOf(
  moments: readonly Moment[],
  steps: readonly Moment['step'][],
  fits: (detail: Moment['detail']) => boolean = () => true,
): Moment | undefined {
  return moments.find(({ step, detail }) => steps.includes(step) && fits(detail));
}

/** Names of ours begin with `sip2wa.`; `sipStatus` is `sip2wa.sip_status`. What is no plain value is left out. */
export function attributesOf(facts: Readonly<Record<string, unknown>>): SpanAttributes {
  const attributes: Record<string, string | number | boolean> = {};
  for (const [key, value] of Object.entries(facts)) {
    const isPlain = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
    if (isPlain) attributes[`sip2wa.${snakeCase(key)}`] = value;
  }
  return attributes;
}

const snakeCase = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
