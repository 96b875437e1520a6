import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { CallId } from '../../../src/lib/ids.js';
import { dialPlanHeaders } from '../../../src/sip/invite-headers.js';
import { loadConfig } from '../../../src/config/load-config.js';
import type { Config } from '../../../src/config/config.js';
import type { Trunk } from '../../../src/routing/types.js';
import { allOf, oneOf, parseMarkup } from './markup.js';
import { textOf } from './repository.js';

const numbers = `
numbers:
  - id: "105615555715855"
    number: "+15551112222"
    trunk: TRUNK
graph: { access_token: "\${env:TOKEN}", app_secret: "\${env:SECRET}" }
webhook: { verify_token: "\${env:VERIFY}" }
`;

/** What a trunk by TLS needs beside it. */
const tlsListener = `
sip:
  listen: ["udp://192.0.2.20:5060", "tls://192.0.2.20:5061"]
  tls: { cert: /etc/sip2wa/tls/bridge.pem, key: /etc/sip2wa/tls/bridge.key }
`;

/** Loads the trunk that stands in a sample's comment, as an operator would paste it. */
function loadSample(comment: string): { config: Config; trunk: Trunk } {
  const name = /- name: (\w+)/.exec(comment)?.[1] ?? '';
  const text = comment + numbers.replace('TRUNK', name) + (comment.includes('transport: tls') ? tlsListener : '');
  const env = { TOKEN: 'token', SECRET: 'app-secret', VERIFY: 'verify-token' };
  const fileOf = (path: string): string =>
    path === 'sample.yaml' ? text : textOf(`test/fixtures/tls/${basename(path)}`);
  const result = loadConfig({ file: 'sample.yaml', env, readFile: (path) => ({ text: fileOf(path), mode: 0o600 }) });
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  const trunk = result.config.trunks.find((one) => one.name === name);
  if (trunk === undefined) throw new Error('the sample has no trunk');
  return { config: result.config, trunk };
}

/** Settings of an Asterisk file: section -> type -> key -> value. */
function asteriskSections(text: string): Map<string, Record<string, string>> {
  const sections = new Map<string, Record<string, string>>();
  let values: Record<string, string> = {};
  let name = '';
  for (const line of text.split('\n').map((one) => one.replace(/;.*/, '').trim())) {
    const heading = /^\[([\w-]+)\]$/.exec(line)?.[1];
    const [, key = '', value = ''] = /^(\w+) = (.+)$/.exec(line) ?? [];
    if (heading !== undefined) [name, values] = [heading, {}];
    if (key === 'type') sections.set(`${name}/${value}`, values);
    if (key !== '') values[key] = value;
  }
  return sections;
}

/** Headers of the INVITEs that sip2wa sends, by the code that writes them. */
const sentHeaders = Object.keys(
  dialPlanHeaders(
    'call' as CallId,
    { user: '+491511234567', name: 'Anna' },
    {
      ...{ numberId: '105', callId: 'wacid.x', direction: 'user_initiated' },
      payload: { type: 'cta', text: 'sales' },
    },
  ),
);

const rtpNames: Readonly<Record<string, string>> = { alaw: 'PCMA', ulaw: 'PCMU' };

/** The trunk of sip2wa in the comment of an Asterisk sample, beside what the sample says itself. */
function asteriskSample(name: string) {
  const text = textOf(`config/asterisk/${name}`);
  const comment = text
    .split('\n')
    .filter((line) => line.startsWith(';   '))
    .map((line) => line.slice(4))
    .join('\n');
  const sections = asteriskSections(text);
  const section = (place: string): Record<string, string> => sections.get(place) ?? {};
  return { ...loadSample(comment), sections, section, endpoint: section('sip2wa/endpoint') };
}

describe.each(['pjsip.conf', 'pjsip-tls.conf', 'pjsip-register.conf'])('config/asterisk/%s', (name) => {
  const { trunk, section, endpoint } = asteriskSample(name);

  it('has in its comment a trunk that sip2wa takes', () => {
    const { bind, protocol } = section(`${endpoint.transport ?? ''}/transport`);
    expect(trunk.servers.map(({ hostname, port }) => `${hostname}:${port}`)).toEqual([bind]);
    expect(trunk.servers[0]?.transport).toBe(protocol);
    expect(trunk.acceptFrom).toEqual([`${trunk.servers[0]?.hostname ?? ''}/32`]);
  });

  it('speaks the codecs and digits of that trunk, and encrypts as it does', () => {
    const codecs = (endpoint.allow ?? '').split(',').map((codec) => rtpNames[codec]);
    expect(codecs).toEqual(trunk.codecs);
    expect(endpoint.dtmf_mode).toBe(trunk.dtmf);
    expect(endpoint.direct_media).toBe('no');
    expect(endpoint.media_encryption).toBe(trunk.srtp === 'required' ? 'sdes' : undefined);
  });

  it('differs from the plain one in nothing but what it is for', () => {
    const { endpoint: plain } = asteriskSample('pjsip.conf');
    const own = ['transport', 'media_encryption', 'auth', 'identify_by'];
    const rest = (values: Record<string, string>) => Object.entries(values).filter(([key]) => !own.includes(key));
    expect(rest(endpoint)).toEqual(rest(plain));
  });
});

describe.each(['pjsip.conf', 'pjsip-tls.conf'])('config/asterisk/%s', (name) => {
  const { trunk, config, section } = asteriskSample(name);

  it('knows sip2wa by its address alone and calls the port it listens on', () => {
    const { match = '', endpoint } = section('sip2wa/identify');
    const { contact, qualify_frequency: seconds } = section('sip2wa/aor');
    const isTls = trunk.servers[0]?.transport === 'tls';
    const place = isTls ? `${match}:5061\\` : `${match}:${config.sip.listen[0]?.port ?? 0}`;
    expect(endpoint).toBe('sip2wa');
    // its reader takes what follows a semicolon for a comment
    expect(contact).toBe(`sip:${place}`);
    expect(Number(seconds)).toBeGreaterThan(0);
    expect(trunk.register).toBe(false);
  });
});

describe('config/asterisk/pjsip-tls.conf', () => {
  const text = textOf('config/asterisk/pjsip-tls.conf');
  const { trunk, section } = asteriskSample('pjsip-tls.conf');

  it('checks the certificate of whom it calls, as sip2wa does', () => {
    expect(section('transport-tls/transport')).toMatchObject({ method: 'tlsv1_2', verify_server: 'yes' });
    expect(trunk.servers[0]?.transport).toBe('tls');
    expect(text).toMatch(/^contact = sip:[\d.]+:5061\\;transport=tls$/m);
    expect(trunk.srtpSuites).toEqual(['AES_CM_128_HMAC_SHA1_80']);
  });
});

describe('config/asterisk/pjsip-register.conf', () => {
  const { trunk, section, sections, endpoint } = asteriskSample('pjsip-register.conf');

  it('knows sip2wa by the credentials of that trunk alone', () => {
    const { username, password } = section(`${endpoint.auth ?? ''}/auth`);
    expect(trunk.register).toBe(true);
    expect(trunk.auth).toMatchObject({ username, password });
    expect(endpoint.aors).toBe(username);
    expect(section(`${username ?? ''}/aor`).contact).toBeUndefined();
    expect(Number(section(`${username ?? ''}/aor`).minimum_expiration)).toBeLessThanOrEqual(
      (trunk.registerExpiresMs ?? 0) / 1000,
    );
    expect(endpoint.identify_by).toBe('username,auth_username');
    expect([...sections.keys()].filter((place) => place.endsWith('/identify'))).toEqual([]);
  });
});

describe('config/asterisk/extensions.conf', () => {
  const { endpoint } = asteriskSample('pjsip.conf');

  it('has the contexts and the endpoint that its dial plan uses', () => {
    const plan = textOf('config/asterisk/extensions.conf');
    expect(plan).toContain(`[${endpoint.context ?? ''}]`);
    expect(plan).toContain('Dial(PJSIP/${EXTEN}@sip2wa');
    for (const [, target = ''] of plan.matchAll(/Goto\(([\w-]+),/g)) expect(plan).toContain(`[${target}]`);
    for (const line of plan.split('\n')) {
      expect(line).toMatch(/^(?:|;.*|\[[\w-]+\]|exten = [^,]+,1,\w+\(.*\)| same = n(?:\(\w+\))?,\w+\(.*\))$/);
    }
    for (const [, label = ''] of plan.matchAll(/GotoIf\(.*\?(\w+)\)$/gm))
      expect(plan).toContain(` same = n(${label}),`);
    for (const [, handler = ''] of plan.matchAll(/b\(([\w-]+)\^/g)) expect(plan).toContain(`[${handler}]`);
  });

  it('reads and sends headers that sip2wa knows, none of them unfiltered into an expression', () => {
    const plan = textOf('config/asterisk/extensions.conf');
    const read = [...plan.matchAll(/PJSIP_HEADER\(read,([\w-]+)\)/g)].map(([, name]) => name);
    expect(read).toEqual(['X-WA-Payload', 'X-CID']);
    for (const name of read) expect(sentHeaders).toContain(name);
    for (const line of plan.split('\n').filter((one) => one.includes('PJSIP_HEADER(read'))) {
      expect(line).toMatch(/FILTER\([^,]+,\$\{PJSIP_HEADER\(read/);
    }
    const added = [...plan.matchAll(/PJSIP_HEADER\(add,([\w-]+)\)/g)].map(([, name]) => name);
    expect(added).toEqual(['X-WA-Number-Id']);
  });
});

describe('config/freeswitch', () => {
  const text = textOf('config/freeswitch/gateway.xml');
  const comment = (/<!-{2}([^]*?)-{2}>/.exec(text)?.[1] ?? '')
    .replace(/^[^]*?(?= {7}trunks:)/, '')
    .replace(/^ {7}/gm, '');
  const { config, trunk } = loadSample(comment);
  const gateway = oneOf(parseMarkup(text), 'gateway');
  const param = (name: string): string | undefined =>
    allOf(gateway, 'param').find(({ attributes }) => attributes.name === name)?.attributes.value;
  const plan = parseMarkup(textOf('config/freeswitch/dialplan.xml'));
  const conditions = allOf(plan, 'condition').map(({ attributes }) => attributes);

  it('has in its comment a trunk that sip2wa takes', () => {
    expect(trunk.servers[0]).toMatchObject({ hostname: param('from-domain'), port: 5080, transport: 'udp' });
    expect(trunk.acceptFrom).toEqual([`${param('from-domain') ?? ''}/32`]);
    expect(trunk.register).toBe(false);
  });

  it('calls the port that sip2wa listens on, and registers nowhere', () => {
    const [host, port] = (param('proxy') ?? '').split(':');
    expect(param('realm')).toBe(host);
    expect(Number(port)).toBe(config.sip.listen[0]?.port);
    expect(param('register')).toBe('false');
    expect(Number(param('ping'))).toBeGreaterThan(0);
  });

  it('reads and sends headers that sip2wa knows', () => {
    const text = textOf('config/freeswitch/dialplan.xml');
    const read = [...text.matchAll(/\$\{sip_h_([\w-]+)\}/g)].map(([, name]) => name);
    expect(new Set(read)).toEqual(new Set(['X-WA-Payload', 'X-CID', 'X-WA-User']));
    for (const name of read) expect(sentHeaders).toContain(name);
    expect([...text.matchAll(/"sip_h_([\w-]+)=/g)].map(([, name]) => name)).toEqual(['X-WA-Number-Id']);
  });

  it('has the context of the gateway, for sip2wa alone', () => {
    const context = allOf(plan, 'context').find(({ attributes }) => attributes.name === param('context'));
    const guard = context?.children[0];
    const condition = guard ? oneOf(guard, 'condition') : undefined;
    const host = (param('proxy') ?? '').split(':')[0] ?? '';
    expect(condition?.attributes).toEqual({
      field: 'network_addr',
      expression: `^${host.replaceAll('.', '\\.')}$`,
    });
    expect(condition?.children.map(({ name, attributes }) => [name, attributes.application])).toEqual([
      ['anti-action', 'hangup'],
    ]);
  });

  it('sends out numbers in the forms that sip2wa dials, with the codecs of the trunk', () => {
    const out = conditions
      .map(({ expression = '' }) => new RegExp(expression))
      .find((one) => one.test('+491511234567'));
    const dialOut = new RegExp(conditions.at(-1)?.expression ?? '');
    expect(out?.test('+15551112222')).toBe(true);
    for (const number of ['+491511234567', '00491511234567']) expect(dialOut.exec(number)?.[1]).toBe('491511234567');
    for (const number of ['110', '01511234567', '+0491511234567']) expect(dialOut.test(number)).toBe(false);
    const actions = allOf(plan, 'action').map(({ attributes }) => attributes.data ?? '');
    expect(actions).toContain(`absolute_codec_string=${trunk.codecs.join(',')}`);
    expect(actions).toContain(`{sofia_session_timeout=1800}sofia/gateway/${gateway.attributes.name ?? ''}/+$1`);
  });

  /** What FreeSWITCH runs for a call: extensions in order, each up to a condition that fails; the first that does something is the last. */
  const run = (name: string, call: Readonly<Record<string, string>>): string[] => {
    const done: string[] = [];
    for (const extension of allOf(plan, 'context').find(({ attributes }) => attributes.name === name)?.children ?? []) {
      let isTaken = false;
      for (const { attributes, children } of extension.children) {
        const isMet = new RegExp(attributes.expression ?? '').test(call[attributes.field ?? ''] ?? '');
        const actions = children.filter((one) => one.name === (isMet ? 'action' : 'anti-action'));
        done.push(...actions.map((one) => `${one.attributes.application ?? ''} ${one.attributes.data ?? ''}`.trim()));
        isTaken = isMet || actions.length > 0;
        if (!isMet) break;
      }
      // A condition that is met ends the search, also where it has no action.
      if (isTaken && extension.attributes.continue !== 'true') break;
    }
    return done;
  };
  const from = (place: string, number: string, payload = ''): string[] =>
    run('from-whatsapp', { network_addr: place, destination_number: number, '${sip_h_X-WA-Payload}': payload });

  it.each([
    ['+15551112222', '', 'bridge user/1000'],
    ['+15551112222', 'sales', 'bridge user/1001'],
    ['600', '', 'echo'],
  ])('brings a call of sip2wa to %s with the payload %j to its end: %s', (number, payload, last) => {
    const done = from((param('proxy') ?? '').split(':')[0] ?? '', number, payload);
    expect(done.at(-1)).toBe(last);
    expect(done.join()).not.toContain('hangup CALL_REJECTED');
  });

  it('hands the calls of sip2wa that arrive in the context of the profile to the one of the gateway, and no other call', () => {
    const to = (place: string): string[] => run('public', { network_addr: place, destination_number: '600' });
    expect(to('192.0.2.20')).toEqual([`transfer \${destination_number} XML ${param('context') ?? ''}`]);
    expect(to('192.0.2.99')).toEqual([]);
  });

  it('hangs up on whoever else calls, before anything else', () => {
    expect(from('192.0.2.99', '+15551112222')[0]).toBe('hangup CALL_REJECTED');
  });
});

describe('config/freeswitch/checklist.md', () => {
  const page = textOf('config/freeswitch/checklist.md');
  const samples = textOf('config/freeswitch/gateway.xml') + textOf('config/freeswitch/dialplan.xml');

  it('goes through what the samples do, by the names that are in them', () => {
    for (const name of [
      '192.0.2.10',
      '192.0.2.20',
      '600',
      '1000',
      '1001',
      'sales',
      'whatsapp_number_id',
      'CALL_REJECTED',
    ]) {
      expect(page).toContain(name);
      expect(samples).toContain(name);
    }
    expect(page).toContain(`sofia status gateway ${/gateway name="(\w+)"/.exec(samples)?.[1] ?? '?'}`);
    expect(page).toContain(`\`${/- name: (\w+)/.exec(samples)?.[1] ?? '?'}\``);
  });

  it('names every header that the samples read or send, and no other', () => {
    const named = (text: string): Set<string> => new Set(text.match(/X-(?:WA-[A-Z][\w-]*\w|CID)\b/g));
    expect(named(page)).toEqual(named(samples));
  });
});

describe('the reader of XML', () => {
  it.each([
    '<a><b></a></b>',
    '<a>',
    '<a/><b/>',
    '<a x="1" x="2"/>',
    '<a>1 > 2</a>',
    '<a><!-- -- --></a>',
    '</a>',
    '<a x=1/>',
  ])('refuses %s', (xml) => {
    expect(() => parseMarkup(xml)).toThrow();
  });

  it('reads elements, attributes and text', () => {
    expect(parseMarkup('<a x="1"> t <b y="z"/><!-- c --></a>')).toEqual({
      name: 'a',
      attributes: { x: '1' },
      text: 't',
      children: [{ name: 'b', attributes: { y: 'z' }, text: '', children: [] }],
    });
  });
});
