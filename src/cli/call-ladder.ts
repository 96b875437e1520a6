import type { StepOut } from '../http/api/schemas.js';
import { plural } from './shown.js';

/** Columns between two lifelines. */
const LANE = 27;
const TIME = 11;

type Detail = StepOut['detail'];

/** One line of the ladder: an arrow between two of the three, or a note in the middle. */
type Rung =
  | { readonly lane: 'whatsapp' | 'pbx'; readonly toRight: boolean; readonly label: string }
  | { readonly lane: 'both'; readonly label: string };

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
    const note = fit(` ${rung.label} `, 2 * LANE + 1);
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

function rungOf({ step, detail }: StepOut): Rung {
  const [world = '', what = ''] = step.split('.', 2);
  switch (world) {
    case 'webhook':
      return { lane: 'whatsapp', toRight: true, label: `webhook ${what}${outcomeOf(detail)}` };
    case 'graph':
      return { lane: 'whatsapp', toRight: false, label: `${what}${replyOf(detail)}` };
    case 'sip':
      return sipRung(what, detail);
    case 'ice':
    case 'dtls':
      return { lane: 'whatsapp', toRight: true, label: `${world.toUpperCase()} ${what}` };
    case 'media':
      return mediaRung(what, detail);
    default:
      return { lane: 'both', label: callLabel(what, detail) };
  }
}

function outcomeOf({ outcome }: Detail): string {
  return outcome === undefined ? '' : ` ${String(outcome)}`;
}

function replyOf({ ok, tookMs, code }: Detail): string {
  if (ok === undefined) return '';
  return ok === true ? ` ${String(tookMs)} ms` : ` failed: ${String(code)}`;
}

const METHODS: Readonly<Record<string, string>> = {
  ...{ invite: 'INVITE', ack: 'ACK', cancel: 'CANCEL', bye: 'BYE', refer: 'REFER' },
  replaces: 'INVITE Replaces',
};

const PHRASES: Readonly<Record<string, string>> = {
  ...{ ringing: 'Ringing', progress: 'Session Progress', answer: 'OK', redirect: 'redirect', refused: 'refused' },
};

function sipRung(what: string, detail: Detail): Rung {
  const { direction, status, trunk } = detail;
  const toRight = direction !== 'in';
  const method = METHODS[what];
  if (method !== undefined) {
    const answer = status === undefined ? '' : ` ${String(status)}`;
    const by = trunk === undefined ? '' : ` ${String(trunk)}`;
    return { lane: 'pbx', toRight, label: `${method}${answer}${by}` };
  }
  const label = `${status === undefined ? '' : `${String(status)} `}${PHRASES[what] ?? what}`;
  return direction === undefined ? { lane: 'both', label: `SIP ${label}` } : { lane: 'pbx', toRight, label };
}

function mediaRung(what: string, detail: Detail): Rung {
  if (what === 'first_from_whatsapp') return { lane: 'whatsapp', toRight: true, label: 'first audio' };
  if (what === 'first_from_pbx') return { lane: 'pbx', toRight: false, label: 'first audio' };
  if (what === 'secured') return { lane: 'pbx', toRight: true, label: `SRTP ${String(detail['suite'] ?? '')}` };
  return { lane: 'both', label: `media ${what.replaceAll('_', ' ')}` };
}

function callLabel(what: string, { to, code, by, sipStatus }: Detail): string {
  if (what === 'state') return `[${String(to)}]`;
  if (what === 'ended') return `[ended: ${String(code)}, by ${String(by)}, SIP ${String(sipStatus)}]`;
  return `[${what.replaceAll('_', ' ')}]`;
}
