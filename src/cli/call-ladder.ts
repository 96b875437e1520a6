import type { StepOut } from '../http/api/schemas.js';
import { rungOf, type Rung } from '../pages/dashboard/rungs.js';
import { plural } from './shown.js';

/** Columns between two lifelines. */
const LANE = 27;
const TIME = 11;

/**
 * The steps of a call as a sequence diagram of three lifelines: WhatsApp (webhooks, Graph requests, ICE, DTLS, audio), the bridge,
 * the PBX (SIP, audio).
 */
export function ladderText(call: string, timeline: readonly StepOut[]): string {
  const heads = `${' '.repeat(TIME - 4)}${'WhatsApp'.padEnd(LANE)}${'sip2wa'.padEnd(LANE)}   PBX`;
  const lines = timeline.map((step) => `${timeOf(step)}${rungText(rungOf(step))}`);
  const began = timeline[0]?.at;
  const about = `  ${call}${began === undefined ? '' : `, ${began}`}, ${plural(timeline.length, 'step')}`;
  return `\n${about}\n\n${heads}\n${lines.map((line) => `${line.trimEnd()}\n`).join('')}\n`;
}

const timeOf = ({ sinceStartMs }: StepOut): string => `${sinceStartMs} ms`.padStart(TIME - 1).padEnd(TIME);

function rungText(rung: Rung): string {
  const [life, empty] = ['|', ' '.repeat(LANE)];
  if (rung.lane === 'both') {
    const note = fit(` [${rung.label}] `, 2 * LANE + 1);
    const left = Math.floor((2 * LANE + 1 - note.length) / 2);
    return `${life}${' '.repeat(left)}${note}${' '.repeat(2 * LANE + 1 - note.length - left)}${life}`;
  }
  const arrow = arrowText(rung.label, rung.toRight);
  const [left, right] = rung.lane === 'whatsapp' ? [arrow, empty] : [empty, arrow];
  return `${life}${left}${life}${right}${life}`;
}

function arrowText(label: string, toRight: boolean): string {
  const text = fit(` ${label} `, LANE - 3);
  const line = '-'.repeat(LANE - 2 - text.length);
  return toRight ? `-${text}${line}>` : `<${line}${text}-`;
}

const fit = (text: string, width: number): string => (text.length <= width ? text : `${text.slice(0, width - 2)}… `);
