import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tlsFile } from '../tls-fixtures.js';

const shipped = join(import.meta.dirname, '../../../config/asterisk');

/** The files for operators that describe the trunk from Asterisk's side. */
export type Sample = 'pjsip.conf' | 'pjsip-tls.conf' | 'pjsip-register.conf';

/** Settings that a test changes in a sample or adds to it, by section and type. */
export type Changes = Readonly<Record<`${string}/${string}`, Readonly<Record<string, string>>>>;

export interface TrunkOptions {
  readonly sample?: Sample;
  /** Another way of its SIP than the sample's own. */
  readonly transport?: 'udp' | 'tcp' | 'tls';
  readonly changes?: Changes;
}

const sampleText = (name: Sample): string => readFileSync(join(shipped, name), 'utf8');

/** The user name and password of a sip2wa that registers, as its sample has them. */
export const account = { username: 'sip2wa', password: 'replace-this-password' } as const;

/** A sample as Asterisk is to read it in a test: with the certificates of test/fixtures/tls, and with what the test changes. */
export function trunkConfiguration({ sample = 'pjsip.conf', transport, changes = {} }: TrunkOptions): string {
  const carried = transport === undefined ? sampleText(sample) : carriedBy(sampleText(sample), transport);
  const certified = carried
    .replace('/etc/asterisk/keys/asterisk.pem', tlsFile('pbx.pem'))
    .replace('/etc/asterisk/keys/asterisk.key', tlsFile('pbx.key'))
    .replace('/etc/asterisk/keys/ca.pem', tlsFile('ca.pem'));
  return Object.entries(changes).reduce((text, [place, values]) => changed(text, place, values), certified);
}

/** The sample with the transport of another one. */
function carriedBy(text: string, transport: 'udp' | 'tcp' | 'tls'): string {
  const section = /\[transport-\w+\]\n(?:[^[\n][^\n]*\n)*/;
  const from = sampleText(transport === 'tls' ? 'pjsip-tls.conf' : 'pjsip.conf');
  const wanted = (section.exec(from)?.[0] ?? '').replace('[transport-udp]', `[transport-${transport}]`);
  const parameter = transport === 'udp' ? '' : `\\;transport=${transport}`;
  const contact = `contact = sip:192.0.2.20:${transport === 'tls' ? 5061 : 5060}${parameter}`;
  return text
    .replace(section, wanted.replace('protocol = udp', `protocol = ${transport}`))
    .replace(/transport = transport-\w+/, `transport = transport-${transport}`)
    .replace(/contact = sip:192\.0\.2\.20.*/, () => contact);
}

/** Sets values in one section. @throws Error when the text has no such section */
function changed(text: string, place: string, values: Readonly<Record<string, string>>): string {
  const [name = '', type = ''] = place.split('/');
  const head = `[${name}]\ntype = ${type}\n`;
  const start = text.indexOf(head);
  if (start < 0) throw new Error(`the sample has no ${place}`);
  const end = text.indexOf('\n[', start);
  const section = text.slice(start, end < 0 ? undefined : end);
  const kept = section
    .split('\n')
    .filter((line) => !(line.split(' = ', 1)[0] ?? '').match(/^\w+$/) || !((line.split(' = ', 1)[0] ?? '') in values));
  const added = Object.entries(values).map(([key, value]) => `${key} = ${value}`);
  const result = [...kept.filter((line) => line !== ''), ...added, ''].join('\n');
  return text.slice(0, start) + result + (end < 0 ? '' : text.slice(end));
}
