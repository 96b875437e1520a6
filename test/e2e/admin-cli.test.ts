import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { callHangupCommand, type HangupOptions } from '../../src/cli/call.js';
import { callsCommand } from '../../src/cli/calls.js';
import type { ConsoleIo } from '../../src/cli/console-io.js';
import { drainCommand } from '../../src/cli/drain.js';
import { runCli } from '../../src/cli/program.js';
import { systemClock } from '../../src/lib/clock.js';
import { createLogger, type RootLogger } from '../../src/observability/logger.js';
import { CapturedConsole, saidBy, type Said } from '../support/captured-console.js';
import { freePort } from '../support/ports.js';
import { APP_SECRET, BUSINESS, NUMBER_ID, ScriptedBridge, USER } from '../support/scripted-bridge.js';
import type { PeerMessage } from '../support/sip-script-peer.js';
import { WrtcPeer } from '../support/wrtc-peer.js';
import { Lines } from '../support/lines.js';

const TOKEN = 'admin-token-of-the-test';

describe('the command line beside a running daemon', () => {
  let bridge: ScriptedBridge;
  let phone: WrtcPeer;
  let log: Lines;
  let logger: RootLogger;
  beforeEach(async () => {
    phone = new WrtcPeer();
    log = new Lines();
    logger = createLogger({ level: 'info', format: 'json', stream: log });
    bridge = await ScriptedBridge.start({ admin: `token: ${TOKEN}`, logger, log: logger });
  });
  afterEach(async () => {
    phone.close();
    await bridge.stop();
  });

  const env = () => {
    const { host, port } = bridge.daemon.addresses.admin;
    return { SIP2WA_CONFIG: bridge.configFile, SIP2WA_ADMIN_LISTEN: `${host}:${port}` };
  };

  const withIo = (run: (io: ConsoleIo) => Promise<number>, surroundings: NodeJS.ProcessEnv = env()): Promise<Said> =>
    saidBy(run, new CapturedConsole(surroundings));
  const cli = (...args: string[]): Promise<Said> => withIo((io) => runCli(args, io));
  const json = async (...args: string[]): Promise<Record<string, unknown>> => {
    const { code, out, err } = await cli(...args, '--json');
    expect([code, err]).toEqual([0, '']);
    const parsed = JSON.parse(out) as Record<string, unknown>;
    expect(parsed['ok']).toBe(true);
    return parsed;
  };
  /** What people are shown, without the times of this run. */
  const shown = async (...args: string[]): Promise<string> => {
    const { code, out } = await cli(...args);
    expect(code).toBe(0);
    return out;
  };

  async function answered(waCallId = 'wacid.up'): Promise<PeerMessage> {
    await bridge.deliver(bridge.userConnect(waCallId, await phone.offer()));
    const invite = await bridge.pbx.request('INVITE');
    bridge.pbx.reply(invite, 180, 'Ringing', { toTag: 'p1' });
    await bridge.step('sip.ringing');
    await bridge.pbxPicksUp(invite);
    return invite;
  }

  const liveId = (): string => bridge.daemon.timeline.calls.at(-1) ?? '';

  it('calls: a table, and what it is made of', async () => {
    expect(await shown('calls')).toBe('\n  no calls\n\n');
    await answered();
    const text = await shown('calls');
    expect(text).toMatch(/^\n {2}Call +By +State +Number +User +Trunk +Time +Audio\n/);
    const row = new RegExp(
      `^  ${liveId().slice(0, 12)}  user  connected  sales   …${USER.slice(-4)}  pbx    \\d s`,
      'm',
    );
    expect(text).toMatch(row);
    expect(text).toMatch(/\n\n {2}1 call: 1 connected\n\n$/);
    expect(text).not.toContain(USER);
    expect(await json('calls')).toMatchObject({ calls: [{ call: liveId(), state: 'connected', trunk: 'pbx' }] });
  });

  it('calls --watch: again and again, until nobody watches', async () => {
    await answered();
    for (const isJson of [false, true]) {
      const watching = new AbortController();
      let turns = 0;
      const clock = {
        ...systemClock,
        after: (_: number, next: () => void) => {
          setImmediate(++turns === 2 ? () => watching.abort() : next);
          return { cancel: () => undefined };
        },
      };
      const options = { watch: true, json: isJson };
      const { code, out } = await withIo((io) => callsCommand(options, io, { clock, signal: watching.signal }));
      expect(code).toBe(0);
      if (isJson)
        expect(
          out
            .trim()
            .split('\n')
            .map((line) => JSON.parse(line) as unknown),
        ).toMatchObject([{ ok: true }, {}]);
      else expect(out.match(/1 call: 1 connected/g)).toHaveLength(2);
    }
  });

  it('call show: all that is known, by the beginning of its id', async () => {
    const invite = await answered();
    const text = await shown('call', 'show', liveId().slice(0, 14));
    for (const part of [
      liveId(),
      'connected',
      'user, to the PBX',
      'wacid.up',
      invite.get('Call-ID'),
      `…${USER.slice(-4)}`,
    ]) {
      expect(text).toContain(part);
    }
    expect(await json('call', 'show', liveId())).toMatchObject({
      call: { call: liveId(), legs: { a: { kind: 'whatsapp' }, b: { kind: 'sip', sipCallId: invite.get('Call-ID') } } },
    });
  });

  it('call trace: the ladder across both worlds', async () => {
    await answered();
    const lines = (await shown('call', 'trace', liveId())).split('\n').map((line) => line.replace(/\d+ ms/g, 'N ms'));
    expect(lines[3]).toMatch(/^ +WhatsApp +sip2wa +PBX$/);
    const at = (pattern: RegExp): number => lines.findIndex((line) => pattern.test(line));
    const order = [
      at(/\|- webhook connect -+>\| +\|$/),
      at(/\| +\|- INVITE pbx -+>\|$/),
      at(/\| +\|<-+ 180 Ringing -\|$/),
      at(/\| +\|<-+ 200 OK -\|$/),
      at(/\| +\|- ACK -+>\|$/),
      at(/\| +\[connected\] +\|$/),
    ];
    expect(order.every((line) => line > 3)).toBe(true);
    expect([...order].sort((a, b) => a - b)).toEqual(order);
    expect(at(/\|<-+ pre_accept N ms -\| +\|$/)).toBeGreaterThan(3);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    const { timeline } = await json('call', 'trace', liveId());
    expect(timeline).toEqual(expect.arrayContaining([expect.objectContaining({ step: 'sip.invite' })]));
  });

  it.each(['human', 'json'])('call hangup: ends it on both sides (%s)', async (form) => {
    await answered();
    const id = liveId();
    if (form === 'json') expect(await json('call', 'hangup', id)).toEqual({ ok: true, call: id });
    else expect(await cli('call', 'hangup', id)).toMatchObject({ code: 0, out: `${id}\n` });
    bridge.pbx.reply(await bridge.pbx.request('BYE'), 200, 'OK');
    expect(await bridge.record()).toMatchObject({ call: id, code: 'admin' });
    expect(await shown('calls', '--ended')).toMatch(/user {2}admin .*\n\n {2}1 call: 1 ended/);
    expect(await json('calls', '--all')).toMatchObject({ calls: [{ call: id, state: 'ended' }] });
    const again = await cli('call', 'hangup', id);
    expect(again).toEqual({ code: 1, out: '', err: 'sip2wa call hangup: The call is over\n' });
  });

  it('call hangup: asks on a terminal which call it is, and ends none without a yes', async () => {
    await answered();
    const asked: string[] = [];
    const saying = (yes: boolean, options: HangupOptions = {}) =>
      withIo((io) =>
        callHangupCommand(liveId(), options, io, (question) => {
          asked.push(question);
          return Promise.resolve(yes);
        }),
      );
    expect(await saying(false)).toEqual({ code: 1, out: '', err: 'sip2wa call hangup: the call goes on\n' });
    const refused = await saying(false, { json: true });
    expect(JSON.parse(refused.out)).toMatchObject({ ok: false, error: 'the call goes on' });
    expect(asked).toHaveLength(2);
    expect(asked[0]).toMatch(
      new RegExp(`^End call ${liveId()} of …${USER.slice(-4)} with sales by pbx, connected, \\d s on both sides\\?$`),
    );
    expect(bridge.daemon.calls()).toBe(1);
    expect(await saying(false, { yes: true })).toMatchObject({ code: 0, out: `${liveId()}\n` });
    bridge.pbx.reply(await bridge.pbx.request('BYE'), 200, 'OK');
    expect(await bridge.record()).toMatchObject({ code: 'admin' });
    expect(asked).toHaveLength(2);
    // A call that is over is none to ask about.
    expect(await saying(true)).toMatchObject({ code: 1, err: 'sip2wa call hangup: The call is over\n' });
    expect(asked).toHaveLength(2);
  });

  it.each(['show', 'trace', 'hangup'])('call %s: a call that is not known', async (command) => {
    const plain = await cli('call', command, '7ZZZ');
    expect(plain).toEqual({ code: 1, out: '', err: `sip2wa call ${command}: No such call is known\n` });
    const { code, out } = await cli('call', command, '7ZZZ', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ ok: false, problem: { code: 'no_such_call', status: 404 } });
  });

  it('trunks', async () => {
    const text = await shown('trunks');
    expect(text).toMatch(/^\n {2}Trunk {2}Calls {2}Limits {2}Srtp {2}Server +State\n/);
    expect(text).toMatch(new RegExp(`pbx    0      100     off   127.0.0.1:${bridge.pbx.port}  unknown`));
    expect(text).toMatch(/ {2}1 trunk: 1 unknown\n\n$/);
    expect(await json('trunks')).toMatchObject({ trunks: [{ name: 'pbx', calls: 0, limits: { calls: 100 } }] });
  });

  it('numbers', async () => {
    const text = await shown('numbers');
    expect(text).toMatch(/^\n {2}Name +Number +Trunk +Calls +Calling +Hours +Settings\n/);
    expect(text).toMatch(new RegExp(`sales  \\+${BUSINESS}  pbx    0      unmanaged  open   unmanaged`));
    expect(text).toMatch(/ {2}1 number: 1 open\n\n$/);
    expect(await json('numbers')).toMatchObject({ numbers: [{ id: NUMBER_ID, name: 'sales', hours: { open: true } }] });
  });

  it('drain: no new calls, and calls again', async () => {
    expect(await shown('drain', '--status')).toBe('\n  calls are taken; 0 calls\n\n');
    await answered();
    expect(await shown('drain')).toBe('\n  no new calls are taken; 1 call left\n\n');
    const late = new WrtcPeer();
    await bridge.deliver(bridge.userConnect('wacid.late', await late.offer()));
    expect(await bridge.record()).toMatchObject({ waCallId: 'wacid.late', code: 'shutdown' });
    late.close();
    expect(await json('drain', '--status')).toMatchObject({ drain: { state: 'draining', calls: 1 } });
    expect(await json('drain', '--end')).toMatchObject({ drain: { state: 'off', calls: 1 } });
    expect(await cli('drain', '--end', '--stop')).toMatchObject({ code: 2, out: '' });
  });

  it('drain --stop --wait: returns when the last call is over, and the process is asked to end', async () => {
    const invite = await answered();
    let isAsked = false;
    void bridge.daemon.stopAsked.then(() => (isAsked = true));
    let isOver = false;
    const said = withIo((io) => {
      const clock = { ...systemClock, after: (_: number, next: () => void) => systemClock.after(20, next) };
      return drainCommand({ stop: true, wait: true, json: true }, io, clock);
    }).finally(() => (isOver = true));
    await bridge.daemon.stopAsked;
    expect([isAsked, isOver]).toEqual([true, false]);
    bridge.pbx.send(bridge.pbx.fromCallee('BYE', invite, 'p1', 1), bridge.sip);
    await bridge.pbx.response(200, 'BYE');
    const { code, out } = await said;
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ ok: true, drain: { state: 'stopping', calls: 0 } });
    expect(await cli('drain', '--end')).toMatchObject({ code: 1, err: 'sip2wa drain: The daemon is stopping\n' });
  });

  it('reload: what changed, what needs a restart, and why a file is refused', async () => {
    expect(await json('reload')).toMatchObject({ changed: [], restart: [], file: bridge.configFile });
    bridge.rewriteConfig((yaml) => `${yaml}\ncalls: { ring_timeout: 50s }\nlog: { format: pretty }\n`);
    const text = await shown('reload');
    expect(text).toContain('  Changed  calls.ring_timeout\n');
    expect(text).toContain('  Restart  needed for log.format\n');
    bridge.rewriteConfig((yaml) => yaml.replace('ring_timeout: 50s', 'ring_timeuot: 50s'));
    const refused = await cli('reload');
    expect(refused.code).toBe(1);
    expect(refused.out).toBe('');
    expect(refused.err).toMatch(/sip2wa\.yaml:\d+:\d+: calls\.ring_timeuot: .*did you mean ring_timeout/);
    expect(refused.err).toContain('sip2wa reload: The configuration has errors; the old one stays in use: 1 error');
    const { out } = await cli('reload', '--json');
    expect(JSON.parse(out)).toMatchObject({ ok: false, problem: { errors: [{ key: 'calls.ring_timeuot' }] } });
  });

  it('log-level: of all, of one call, for a time, and as configured', async () => {
    expect(await shown('log-level')).toBe('\n  Level       info\n  Configured  info\n\n');
    await answered();
    logger.child({ call: liveId() }).debug('of this call, before');
    const one = await json('log-level', 'debug', '--call', liveId().slice(0, 14), '--for', '10m');
    expect(one).toMatchObject({ levels: { level: 'info', calls: [{ call: liveId(), level: 'debug' }] } });
    logger.child({ call: liveId() }).debug('of this call');
    logger.debug('of none');
    const said = log.records.map(({ msg }) => msg);
    expect(said.filter((msg) => String(msg).startsWith('of '))).toEqual(['of this call']);
    expect(await shown('log-level', 'error', '--for', '1h')).toMatch(
      /Level {7}error until \d{4}-.*\n {2}Configured {2}info\n/,
    );
    expect(await json('log-level', 'configured')).toMatchObject({ levels: { level: 'info', configured: 'info' } });
    expect(await cli('log-level', 'debug', '--for', 'ever')).toMatchObject({ code: 2, out: '' });
    expect(await cli('log-level', 'loud')).toMatchObject({ code: 2, out: '' });
    expect(await cli('log-level', '--for', '10m')).toMatchObject({ code: 2, out: '' });
  });

  it('says so when no daemon is there, and when it does not take the token', async () => {
    bridge.rewriteConfig((yaml) => yaml.replace(TOKEN, 'another-admin-token'));
    const refused = await cli('drain');
    expect(refused).toMatchObject({ code: 1, out: '' });
    expect(refused.err).toContain('the daemon does not take admin.token of ');
    expect(refused.err).not.toContain('another-admin-token');
    const nobody = await freePort();
    const surroundings = { ...env(), SIP2WA_ADMIN_LISTEN: `127.0.0.1:${nobody}` };
    const { code, out, err } = await withIo((io) => runCli(['calls'], io), surroundings);
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(/^sip2wa calls: no daemon listens on 127\.0\.0\.1:\d+ .*: is sip2wa running\?\n$/);
  });

  it('prints no secret of the configuration, whatever is asked', async () => {
    await answered();
    const id = liveId();
    bridge.rewriteConfig((yaml) => `${yaml}\ncalls: { ring_timeout: ${TOKEN} }\n`);
    const commands = [
      'calls',
      `call show ${id}`,
      `call trace ${id}`,
      'trunks',
      'numbers',
      'reload',
      'log-level',
      'drain',
    ];
    let text = '';
    for (const command of commands) {
      for (const form of [[], ['--json']]) {
        const { out, err } = await cli(...command.split(' '), ...form);
        text += out + err;
      }
    }
    const { port } = bridge.daemon.addresses.admin;
    for (const path of ['status', 'calls', 'failures', 'numbers', 'trunks', 'openapi.json', 'log-level', 'drain']) {
      text += await (await fetch(`http://127.0.0.1:${port}/v1/${path}`)).text();
    }
    expect(text.length).toBeGreaterThan(10_000);
    for (const secret of [TOKEN, APP_SECRET, 'token-of-the-test', 'verify-of-the-test', USER]) {
      expect(text).not.toContain(secret);
      expect(text).not.toContain(Buffer.from(secret).toString('base64'));
    }
  });

  it('finds the daemon also while the file has errors elsewhere', async () => {
    bridge.rewriteConfig((yaml) => `${yaml}\nnonsense: true\n`);
    expect(readFileSync(bridge.configFile, 'utf8')).toContain('nonsense');
    expect(await cli('trunks')).toMatchObject({ code: 0, err: '' });
  });
});
