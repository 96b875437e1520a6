import { rungOf, type Step } from './rungs.js';

/** One side's audio at one time, as the admin API tells it. */
export interface Sample {
  readonly side: 'whatsapp' | 'pbx';
  readonly at: string;
  readonly loss: number;
  readonly jitterMs?: number;
  readonly mos?: number;
  readonly roundTripMs?: number;
  readonly levelDbfs?: number;
}

const svgSpace = 'http://www.w3.org/2000/svg';

function shape(name: string, attributes: Readonly<Record<string, string | number>>, text?: string): SVGElement {
  const element = document.createElementNS(svgSpace, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (text !== undefined) element.textContent = text;
  return element;
}

const lifelines = { whatsapp: 190, bridge: 450, pbx: 710 } as const;
const width = 800;
const rowHeight = 26;

/** The steps of a call as a sequence diagram of WhatsApp, the bridge and the PBX. */
export function ladder(steps: readonly Step[]): SVGElement {
  const height = 50 + steps.length * rowHeight;
  const svg = shape('svg', { viewBox: `0 0 ${width} ${height}`, class: 'ladder', role: 'img' });
  svg.append(shape('title', {}, `Ladder of ${steps.length} steps`));
  for (const [name, x] of [
    ['WhatsApp', lifelines.whatsapp],
    ['sip2wa', lifelines.bridge],
    ['PBX', lifelines.pbx],
  ] as const) {
    svg.append(shape('text', { x, y: 18, class: 'head' }, name));
    svg.append(shape('line', { x1: x, y1: 26, x2: x, y2: height - 6, class: 'life' }));
  }
  steps.forEach((step, place) => svg.append(rung(step, 44 + place * rowHeight)));
  return svg;
}

function rung(step: Step, y: number): SVGElement {
  const line = rungOf(step);
  const group = shape('g', { class: line.isBad ? 'bad' : '' });
  group.append(shape('title', {}, `${step.at} ${step.step} ${JSON.stringify(step.detail)}`));
  group.append(shape('text', { x: 100, y: y + 4, class: 'time' }, `${step.sinceStartMs} ms`));
  if (line.lane === 'both') {
    group.append(shape('rect', { x: lifelines.bridge - 150, y: y - 11, width: 300, height: 21, rx: 5, class: 'note' }));
    group.append(shape('text', { x: lifelines.bridge, y: y + 4, class: 'label' }, line.label));
    return group;
  }
  const [left, right] =
    line.lane === 'whatsapp' ? [lifelines.whatsapp, lifelines.bridge] : [lifelines.bridge, lifelines.pbx];
  const [from, to] = line.toRight ? [left, right] : [right, left];
  const tip = line.toRight ? -8 : 8;
  group.append(shape('line', { x1: from, y1: y + 4, x2: to, y2: y + 4, class: 'arrow' }));
  group.append(shape('path', { d: `M${to} ${y + 4} l${tip} -4 v8 z`, class: 'tip' }));
  group.append(shape('text', { x: (left + right) / 2, y: y - 1, class: 'label' }, line.label));
  return group;
}

const chart = { width: 300, height: 80 } as const;

/** One figure over time, a line for each side; undefined if there is nothing to draw. */
export function sparkline(
  title: string,
  samples: readonly Sample[],
  figureOf: (sample: Sample) => number | undefined,
  [bottom, top]: readonly [number, number],
  unit: (value: number) => string,
): HTMLElement | undefined {
  const points = samples.flatMap((sample) => {
    const value = figureOf(sample);
    return value === undefined ? [] : [{ side: sample.side, at: Date.parse(sample.at), value }];
  });
  if (points.length === 0) return undefined;
  const highest = Math.max(top, ...points.map(({ value }) => value));
  const first = Math.min(...points.map(({ at }) => at));
  const lasts = Math.max(1, Math.max(...points.map(({ at }) => at)) - first);
  const svg = shape('svg', { viewBox: `0 0 ${chart.width} ${chart.height}`, class: 'chart', role: 'img' });
  const latest: string[] = [];
  for (const side of ['whatsapp', 'pbx'] as const) {
    const own = points.filter((point) => point.side === side);
    const at = own.map((point) => {
      const x = ((point.at - first) / lasts) * (chart.width - 8) + 4;
      const y = chart.height - 4 - ((point.value - bottom) / (highest - bottom)) * (chart.height - 8);
      return `${x.toFixed(1)},${y.toFixed(1)}`;
    });
    if (own.length === 1) at.push(at[0] ?? '');
    svg.append(shape('polyline', { points: at.join(' '), class: side }));
    const last = own.at(-1);
    if (last) latest.push(`${side === 'pbx' ? 'PBX' : 'WhatsApp'} ${unit(last.value)}`);
  }
  svg.append(shape('title', {}, `${title}: ${latest.join(', ')}`));
  const figure = document.createElement('figure');
  const caption = document.createElement('figcaption');
  caption.textContent = `${title}: ${latest.join(', ')}`;
  figure.append(svg, caption);
  return figure;
}
