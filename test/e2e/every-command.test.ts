import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/program.js';
import { CapturedConsole, saidBy, type Said } from '../support/captured-console.js';
import { permissionJson } from '../support/permission-fakes.js';
import { pbxSdp, ScriptedBridge, USER } from '../support/scripted-bridge.js';
import { until } from '../support/until.js';
import { WrtcPeer } from '../support/wrtc-peer.js';

// Every command of `sip2wa --help` beside one running daemon with a live call: what people are shown, and what --json prints.
// A new command has to be put into the table, or the last test fails.

const TOKEN = 'admin-token-of-the-test';

/** What a command is given and says. */
interface Shown {
  readonly args: readonly string[] | (() => Promise<readonly string[]>);
  /** Exit codes: for people, with --json; default 0. */
  readonly codes?: readonly [number, number];
  /** All of it on standard output. */
  readonly people: readonly (RegExp | string)[];
  /** What the one object on standard output has at least. */
  readonly json: object | ((said: Record<string, unknown>) => void);
  /** Told after each of the two. */
  readonly after?: () => Promise<void>;
  /** Standard error for people; default: nothing. */
  readonly notes?: RegExp;
}

/** Commands that stay until they are ended: tested as processes, in tests of these names. */
interface Elsewhere {
  readonly file: string;
  readonly tests: readonly string[];
}

const PROCESSES = 'test/crash/commands.test.ts';

let bridge: ScriptedBridge;
let phone: WrtcPeer;
let otherPhone: WrtcPeer;
/** The call that is up all the time. */
let callId: string;
let others = 0;

const commands: Readonly<Record<string, Shown | Elsewhere | 'a script, which has no JSON'>> = {
  run: { file: PROCESSES, tests: ['run: its log is JSON on standard error', 'run: its log is text for people'] },
  demo: { file: PROCESSES, tests: ['demo and demo --json'] },
  sandbox: { file: PROCESSES, tests: ['sandbox: says where everything is', 'sandbox --json: the same'] },
  completion: 'a script, which has no JSON',
  check: {
    args: ['check'],
    people: [/^\S+sip2wa\.yaml: ok: 1 number, 1 trunk, 0 routes\n$/],
    json: { ok: true, errors: [], warnings: [], numbers: 1, trunks: 1, routes: 0 },
  },
  'print-config': {
    args: ['print-config'],
    people: [/^ *ring_timeout: 60s +# default/m, /^ *verify_token: "?\*+"? +# /m, /^ *name: sales +# /m],
    json: { ok: true },
  },
  'route-test': {
    args: ['route-test', '--number', 'sales', '--from', '+49301234567'],
    people: [/^\n {2}Number +sales, \+15551112222/, /pbx/, /127\.0\.0\.1/],
    json: { ok: true },
  },
  hours: {
    args: ['hours', 'sales', '--at', '2026-11-22T10:00Z'],
    people: [
      /^\n {2}Number {2}sales, \+15551112222, id \d+\n {2}Time {4}2026-11-22T10:00:00\.000Z/,
      /\n {2}State {3}open: /,
    ],
    json: { ok: true, number: { name: 'sales' }, at: '2026-11-22T10:00:00.000Z', open: true },
  },
  'permissions get': {
    args: ['permissions', 'get', 'sales', `+${USER}`],
    people: [/^ {2}Number +sales, /, /\n {2}Permission +no_permission\n/, /\n {2}ask for permission +yes/],
    json: { ok: true, permission: { status: 'no_permission' } },
  },
  'permissions request': {
    args: ['permissions', 'request', 'sales', `+${USER}`],
    people: ['wamid.request'],
    json: { ok: true },
  },
  'settings pull': {
    args: ['settings', 'pull', 'sales'],
    people: [/^numbers:\n/, /call_icon_visibility: DEFAULT/],
    json: { ok: true, numbers: [{ name: 'sales', settings: { calling: { call_icon_visibility: 'DEFAULT' } } }] },
  },
  'settings plan': {
    args: ['settings', 'plan'],
    codes: [2, 2],
    people: [/sales \(\d+\): 1 change\n/, /~ callback_permission_status: DISABLED -> ENABLED\n/],
    json: { numbers: [{ name: 'sales' }] },
  },
  'settings drift': {
    args: ['settings', 'drift'],
    codes: [2, 2],
    people: [/sales \(\d+\): 1 change\n/],
    json: { numbers: [{ name: 'sales' }] },
  },
  'settings apply': {
    args: ['settings', 'apply', '--dry-run'],
    people: [/sales \(\d+\): 1 change\n/],
    json: { numbers: [{ name: 'sales' }] },
  },
  doctor: {
    args: ['doctor', 'sales'],
    // Meta's double knows nothing of apps and subscriptions.
    codes: [1, 1],
    people: [/ daemon +running and ready\n/, /this machine/i, /Meta/],
    json: ({ checks }) => {
      expect(checks).toEqual(expect.arrayContaining([expect.objectContaining({ name: 'daemon', state: 'ok' })]));
    },
  },
  calls: {
    args: ['calls'],
    people: [/^\n {2}Call +By +State/, / {2}1 call: 1 connected\n\n$/],
    json: { ok: true, calls: [{ state: 'connected', trunk: 'pbx' }] },
  },
  'call show': {
    args: () => Promise.resolve(['call', 'show', callId]),
    people: [/\n {2}State +connected\n/, /wacid\.up/],
    json: { ok: true, call: { state: 'connected' } },
  },
  'call trace': {
    args: () => Promise.resolve(['call', 'trace', callId]),
    people: [/WhatsApp +sip2wa +PBX\n/, /- INVITE pbx -+>/],
    json: ({ timeline }) => {
      expect(timeline).toEqual(expect.arrayContaining([expect.objectContaining({ step: 'sip.invite' })]));
    },
  },
  'call hangup': {
    args: async () => ['call', 'hangup', await answered(`wacid.other-${++others}`, otherPhone)],
    after: async () => {
      bridge.pbx.reply(await bridge.pbx.request('BYE'), 200, 'OK');
      await until(() => bridge.daemon.calls() === 1, 'the end of the other call');
    },
    people: [/^[0-9A-Z]{26}\n$/],
    json: { ok: true },
    notes: /^sip2wa call hangup: the call is being ended on both sides\n$/,
  },
  trunks: {
    args: ['trunks'],
    people: [/^\n {2}Trunk {2}Calls/, / {2}1 trunk: 1 unknown\n\n$/],
    json: { ok: true, trunks: [{ name: 'pbx', calls: 1 }] },
  },
  numbers: {
    args: ['numbers'],
    people: [/^\n {2}Name +Number +Trunk/, / {2}1 number: 1 open\n\n$/],
    json: { ok: true, numbers: [{ name: 'sales' }] },
  },
  drain: {
    args: ['drain', '--status'],
    people: ['\n  calls are taken; 1 call\n\n'],
    json: { ok: true, drain: { state: 'off', calls: 1 } },
  },
  reload: {
    args: ['reload'],
    people: [/^\n {2}File +\S+sip2wa\.yaml\n {2}Changed +nothing\n\n$/],
    json: { ok: true, changed: [], restart: [] },
  },
  'log-level': {
    args: ['log-level'],
    people: [/^\n {2}Level +info\n {2}Configured +info\n\n$/],
    json: { ok: true, levels: { level: 'info', configured: 'info' } },
  },
};

const isShown = (one: (typeof commands)[string]): one is Shown => typeof one !== 'string' && 'people' in one;
const shownCommands = Object.entries(commands).flatMap(([name, one]) => (isShown(one) ? [{ name, ...one }] : []));
const elsewhere = Object.entries(commands).flatMap(([name, one]) =>
  typeof one !== 'string' && 'file' in one ? [{ name, ...one }] : [],
);

function cli(...args: readonly string[]): Promise<Said> {
  const { host, port } = bridge.daemon.addresses.admin;
  const webhook = bridge.daemon.addresses.webhook;
  const io = new CapturedConsole({
    SIP2WA_CONFIG: bridge.configFile,
    SIP2WA_ADMIN_LISTEN: `${host}:${port}`,
    SIP2WA_WEBHOOK_LISTEN: `${webhook.host}:${webhook.port}`,
  });
  return saidBy(() => runCli(args, io), io);
}

/** A user's call that the PBX has answered; its id. */
async function answered(waCallId: string, from = phone): Promise<string> {
  await bridge.deliver(bridge.userConnect(waCallId, await from.offer()));
  const invite = await bridge.pbx.request('INVITE');
  bridge.pbx.reply(invite, 200, 'OK', { toTag: waCallId, body: pbxSdp(40_000) });
  await bridge.pbx.request('ACK');
  const call = bridge.daemon.timeline.calls.at(-1) ?? '';
  const isUp = (): boolean =>
    bridge.daemon.timeline.stepsOf(call as never).some(({ detail }) => detail['to'] === 'connected');
  await until(isUp, 'the answer');
  return call;
}

/** Every command that does something, by the program's own completion: `call show`, not `call`. */
async function commandNames(): Promise<string[]> {
  const { out } = await cli('completion', 'bash');
  const names = [...out.matchAll(/^ {4}'([a-z -]+)'\) words=/gm)].map(([, name = '']) => name);
  return names.filter((name) => !names.some((other) => other.startsWith(`${name} `))).sort();
}

beforeAll(async () => {
  [phone, otherPhone] = [new WrtcPeer(), new WrtcPeer()];
  bridge = await ScriptedBridge.start({
    admin: `token: ${TOKEN}`,
    number: 'settings: { calling: { callback_permission_status: ENABLED } }',
  });
  const calling = { status: 'ENABLED', call_icon_visibility: 'DEFAULT', callback_permission_status: 'DISABLED' };
  bridge.graph.always = ({ method, path }) => {
    const says = (json: object) => ({ status: 200, json });
    if (path.includes('/call_permissions?')) return says(permissionJson('no_permission', { ask: true, start: false }));
    if (path.endsWith('/messages')) return says({ messaging_product: 'whatsapp', messages: [{ id: 'wamid.request' }] });
    return method === 'GET' && path.includes('/settings') ? says({ calling }) : undefined;
  };
  callId = await answered('wacid.up');
  // With media, so that it stays up for as long as this takes.
  const preAccept = bridge.graph.seen.find(({ body }) => body['action'] === 'pre_accept');
  await phone.accept((preAccept?.body['session'] as { sdp: string }).sdp);
  await phone.reaches('connected');
}, 30_000);
afterAll(async () => {
  phone.close();
  otherPhone.close();
  await bridge.stop();
});

describe('every command beside a running daemon', () => {
  it.each(shownCommands)('$name: for people', async ({ args, codes = [0, 0], people, notes = /^$/, after }) => {
    const { code, out, err } = await cli(...(typeof args === 'function' ? await args() : args));
    await after?.();
    for (const part of people) expect(out).toMatch(part);
    expect([code, err]).toEqual([codes[0], expect.stringMatching(notes)]);
    expect(out).not.toContain('\u001b');
    expect(out).not.toContain(TOKEN);
  });

  it.each(shownCommands)('$name: as JSON', async ({ args, codes = [0, 0], json, after }) => {
    const { code, out, err } = await cli(...(typeof args === 'function' ? await args() : args), '--json');
    await after?.();
    const said = JSON.parse(out) as Record<string, unknown>;
    if (typeof json === 'function') (json as (said: Record<string, unknown>) => void)(said);
    else expect(said).toMatchObject(json);
    expect([code, err]).toEqual([codes[1], '']);
    expect(out).not.toContain(TOKEN);
  });

  it('completion: a script for the shell, and nothing but that', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { code, out, err } = await cli('completion', shell);
      expect([code, err]).toEqual([0, '']);
      expect(out).toContain(`${shell} completion of sip2wa`);
    }
    expect(await cli('completion', 'bash', '--json')).toMatchObject({ code: 2, out: '' });
  });

  it.each(elsewhere)('$name: as a process, in $file', ({ file, tests }) => {
    const text = readFileSync(file, 'utf8');
    for (const test of tests) expect(text).toContain(`'${test}`);
  });

  it('and there is no other', async () => {
    const names = await commandNames();
    expect(names.length).toBeGreaterThan(20);
    expect(names).toEqual(Object.keys(commands).sort());
  });
});
