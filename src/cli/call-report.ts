import type { CallDetailOut, CallOut, LegOut, QualityOut } from '../http/api/schemas.js';
import { shownDuration } from './shown.js';
import { facts, table } from './table.js';

/** `opus/PCMA 0.1/0 % 4.3/4.1`: WhatsApp's side and the PBX's, loss of what came in, estimated MOS. */
export function qualityText({ whatsapp, pbx }: CallOut['quality']): string {
  const sides = [whatsapp, pbx];
  if (sides.every((side) => side === undefined)) return '-';
  const both = (of: (side: QualityOut) => string): string => sides.map((side) => (side ? of(side) : '-')).join('/');
  return `${both(({ codec }) => codec)} ${both(lossOf)} % ${both(({ received }) => fixed(received.mos))}`;
}

/** In percent. */
function lossOf({ received: { packets, lost } }: QualityOut): string {
  if (lost === undefined || packets + lost <= 0) return '-';
  return fixed((100 * Math.max(0, lost)) / (packets + Math.max(0, lost)));
}

const fixed = (value: number | undefined): string => (value === undefined ? '-' : String(Math.round(value * 10) / 10));

/** `call 01JD3Q8Z5K… of …4567 with sales by pbx, connected, 3:07`: enough to tell it from others. */
export function whoseCall({ call, user, userId, number, trunk, state, durationMs }: CallDetailOut): string {
  const parties = [
    ['of', user ?? userId],
    ['with', number],
    ['by', trunk],
  ].flatMap(([word, name]) => (name === undefined ? [] : [`${word} ${name}`]));
  return [['call', call, ...parties].join(' '), state, shownDuration(durationMs)].join(', ');
}

/** All that is known of a call but its steps. */
export function callText(call: CallDetailOut): string {
  const { direction, number, user, userId, trunk, start, answer, end, durationMs, billsecMs } = call;
  const pairs: (readonly [string, string | undefined])[] = [
    ['Call', call.call],
    ['State', call.state],
    ['By', direction === 'user_initiated' ? 'user, to the PBX' : 'business, to the user'],
    ['Number', number],
    ['User', user ?? userId],
    ['Trunk', trunk],
    ['Start', start],
    ['Answer', answer],
    ['End', end],
    ['Time', `${shownDuration(durationMs)}, ${shownDuration(billsecMs)} since the answer`],
    ['Outcome', call.outcome && outcomeText(call.outcome)],
  ];
  const known = pairs.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  return `\n${facts(known)}\n${legsText(call)}${audioText(call)}`;
}

function outcomeText({ code, sipStatus, q850, endedBy, metaCode, text }: NonNullable<CallOut['outcome']>): string {
  const by = endedBy === 'bridge' ? 'sip2wa' : `the ${endedBy.toUpperCase()} leg`;
  const meta = metaCode === undefined ? '' : `, Meta ${metaCode}`;
  return `${code}, by ${by}, SIP ${sipStatus}, Q.850 ${q850}${meta}${text === undefined ? '' : `: ${text}`}`;
}

function legsText({ legs: { a, b } }: CallDetailOut): string {
  const row = (name: string, leg: LegOut): string[] => [
    ...[name, leg.kind, leg.state, leg.srtp ?? '-', leg.remoteAddress ?? '-'],
    leg.waCallId ?? leg.sipCallId ?? '-',
  ];
  const rows = [row('A', a), ...(b ? [row('B', b)] : [])];
  return `${table(['Leg', 'Kind', 'State', 'Srtp', 'Address', 'Id'], rows)}\n`;
}

function audioText({ quality: { whatsapp, pbx } }: CallDetailOut): string {
  const row = (name: string, side: QualityOut): string[] => [
    ...[name, side.codec, lossOf(side), fixed(side.received.jitterMs), fixed(side.received.mos)],
    ...[fixed(side.sent.lost), fixed(side.sent.jitterMs), fixed(side.sent.mos), fixed(side.roundTripMs)],
  ];
  const rows = [...(whatsapp ? [row('whatsapp', whatsapp)] : []), ...(pbx ? [row('pbx', pbx)] : [])];
  if (rows.length === 0) return '';
  const heads = ['Audio', 'Codec', 'InLoss%', 'InJitter', 'InMos', 'OutLost', 'OutJitter', 'OutMos', 'Rtt'];
  return `${table(heads, rows)}\n`;
}
