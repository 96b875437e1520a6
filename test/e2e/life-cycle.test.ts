import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../../src/cli/run.js';
import { AdminAsker } from '../support/admin-asker.js';
import { CapturedConsole } from '../support/captured-console.js';
import { FakeHost } from '../support/fake-host.js';
import { Lines } from '../support/lines.js';
import { pbxSdp, ScriptedBridge } from '../support/scripted-bridge.js';
import { SipScriptPeer, type PeerMessage } from '../support/sip-script-peer.js';
import { until } from '../support/until.js';
import { WrtcPeer } from '../support/wrtc-peer.js';

describe('the life of a daemon with calls', () => {
  let bridge: ScriptedBridge;
  let phone: WrtcPeer;
  let host: FakeHost;
  let admin: AdminAsker;
  /** Exit code of `sip2wa run`. */
  let ended: Promise<number>;

  const start = async (more: string, pbx?: SipScriptPeer): Promise<void> => {
    bridge = await ScriptedBridge.start({ more, ...(pbx ? { pbx } : {}) });
    admin = new AdminAsker(bridge.daemon.addresses.admin.port);
    const surroundings = {
      io: new CapturedConsole(),
      host,
      log: new Lines(),
      start: () => Promise.resolve(bridge.daemon),
    };
    ended = runCommand({ config: bridge.configFile }, surroundings);
  };

  beforeEach(() => {
    phone = new WrtcPeer();
    host = new FakeHost();
  });
  afterEach(async () => {
    phone.close();
    await bridge.stop();
  });

  const invited = async (waCallId: string, offer: string): Promise<PeerMessage> => {
    await bridge.deliver(bridge.userConnect(waCallId, offer));
    return bridge.pbx.request('INVITE');
  };
  const answer = async (invite: PeerMessage): Promise<void> => {
    bridge.pbx.reply(invite, 200, 'OK', { toTag: 'p1', body: pbxSdp(40_000) });
    await bridge.pbx.request('ACK');
    await until(async () => !(await statesOf()).includes('answering'), 'the answer');
  };
  const statesOf = async (): Promise<string[]> => (await admin.calls()).map(({ state }) => state);
  /** Answers every BYE and CANCEL from now on. */
  const letGo = (): void => {
    const goOn = async (): Promise<void> => {
      for (;;) {
        const request = await bridge.pbx.next(
          ({ method }) => method === 'BYE' || method === 'CANCEL',
          'the end',
          30_000,
        );
        bridge.pbx.reply(request, 200, 'OK');
        const isIts = (one: PeerMessage): boolean => one.get('Call-ID') === request.get('Call-ID');
        const invite = bridge.pbx.received.find((one) => one.method === 'INVITE' && isIts(one));
        if (request.method === 'CANCEL' && invite) {
          bridge.pbx.reply(invite, 487, 'Request Terminated', { toTag: 'p1' });
        }
      }
    };
    goOn().catch(() => undefined);
  };

  it('SIGTERM with 20 calls up: none is cut before the limit, none is taken, exit code 0', async () => {
    await start('calls: { drain_timeout: 2s }');
    const offer = await phone.offer();
    for (let at = 0; at < 20; at++) {
      const invite = await invited(`wacid.${at}`, offer);
      // five of them are in set-up
      if (at < 15) await answer(invite);
      else bridge.pbx.reply(invite, 180, 'Ringing', { toTag: 'p1' });
    }
    await until(async () => (await statesOf()).filter((state) => state === 'connected').length === 15, '15 calls');
    const atMs = performance.now();
    host.emit('SIGTERM', 'SIGTERM');
    await until(async () => (await admin.status()).drain.state === 'stopping', 'the drain');
    expect((await admin.status()).ready).toBe(false);

    await bridge.deliver(bridge.userConnect('wacid.late', offer));
    expect(await bridge.record()).toMatchObject({ waCallId: 'wacid.late', code: 'shutdown' });
    bridge.pbxCalls({ body: pbxSdp(40_002) });
    expect(Number((await bridge.pbx.response(503, 'INVITE')).get('Retry-After'))).toBeGreaterThan(0);
    expect(await statesOf()).toHaveLength(20);
    expect(bridge.records).toHaveLength(1);

    letGo();
    expect(await ended).toBe(0);
    expect(performance.now() - atMs).toBeGreaterThanOrEqual(2_000);
    expect(bridge.records).toHaveLength(21);
    const cut = bridge.records.slice(1);
    expect(new Set(cut.map(({ code }) => code))).toEqual(new Set(['shutdown']));
    const last = Math.min(...cut.map(({ end }) => Date.parse(end)));
    const first = Date.parse(bridge.records[0]?.end ?? '');
    expect(last - first).toBeGreaterThan(1_000);
    expect(host.exits).toEqual([]);
  });

  it('SIGTERM: ends as soon as the last call is over', async () => {
    await start('calls: { drain_timeout: 1h }');
    const invite = await invited('wacid.1', await phone.offer());
    await answer(invite);
    host.emit('SIGTERM', 'SIGTERM');
    await until(async () => (await admin.status()).drain.state === 'stopping', 'the drain');
    bridge.pbx.send(bridge.pbx.fromCallee('BYE', invite, 'p1', 1), bridge.sip);
    await bridge.pbx.response(200, 'BYE');
    expect(await ended).toBe(0);
    expect(bridge.records).toMatchObject([{ code: 'hangup' }]);
  });

  it('a second signal ends the calls at once', async () => {
    await start('calls: { drain_timeout: 1h }');
    await answer(await invited('wacid.1', await phone.offer()));
    host.emit('SIGTERM', 'SIGTERM');
    await until(async () => (await admin.status()).drain.state === 'stopping', 'the drain');
    letGo();
    host.emit('SIGTERM', 'SIGTERM');
    expect(await ended).toBe(0);
    expect(bridge.records).toMatchObject([{ code: 'shutdown' }]);
    expect(bridge.actions.at(-1)).toBe('terminate');
  });

  it('SIGHUP with a broken file keeps the calls and the old configuration', async () => {
    await start('');
    await answer(await invited('wacid.1', await phone.offer()));
    bridge.rewriteConfig((yaml) => `${yaml.replace('trunk: pbx }', 'trunk: nowhere }')}\nnonsense: 1\n`);
    host.emit('SIGHUP', 'SIGHUP');
    await until(async () => (await admin.status()).reload?.result === 'refused', 'the refusal');
    expect(await statesOf()).toEqual(['connected']);
    await invited('wacid.2', await phone.offer());
    expect((await admin.trunks()).map(({ name }) => name)).toEqual(['pbx']);
    const { port } = bridge.daemon.addresses.admin;
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(metrics).toContain('sip2wa_config_reloads_total{result="refused"} 1');
  });

  it('SIGHUP with a good file: the next call goes by it, the one that is up goes on', async () => {
    await start('');
    await answer(await invited('wacid.1', await phone.offer()));
    const other = await SipScriptPeer.udp();
    bridge.rewriteConfig((yaml) =>
      yaml
        .replace('numbers:', `  - { name: other, servers: [{ hostname: 127.0.0.1, port: ${other.port} }] }\nnumbers:`)
        .replace('trunk: pbx }', 'trunk: other }'),
    );
    host.emit('SIGHUP', 'SIGHUP');
    await until(async () => (await admin.status()).reload?.result === 'ok', 'the reload');
    await bridge.deliver(bridge.userConnect('wacid.2', await phone.offer()));
    other.reply(await other.request('INVITE'), 486, 'Busy Here', { toTag: 'o1' });
    expect(await bridge.record()).toMatchObject({ waCallId: 'wacid.2', trunk: 'other', code: 'busy' });
    expect(await admin.calls()).toMatchObject([{ state: 'connected', trunk: 'pbx' }]);
    expect((await admin.trunks()).map(({ name }) => name)).toEqual(['pbx', 'other']);
    await other.stop();
  });

  it('SIGHUP: who may call in, and with which secrets, counts at once', async () => {
    await start('');
    bridge.rewriteConfig((yaml) =>
      yaml
        .replace('accept_from: [127.0.0.1/32]', 'accept_from: [10.1.1.1/32]')
        .replace('token-of-the-test', 'next-token-of-the-test')
        .replace('admin: {', 'admin: { token: next-admin-token-of-the-test,'),
    );
    host.emit('SIGHUP', 'SIGHUP');
    await until(async () => (await admin.status()).reload?.result === 'ok', 'the reload');
    expect((await admin.trunks())[0]?.acceptFrom).toEqual(['10.1.1.1/32']);
    expect(await admin.ask('POST', '/v1/drain', {})).toMatchObject({ status: 401 });
    await bridge.deliver(bridge.userConnect('wacid.1', await phone.offer()));
    await bridge.step('graph.pre_accept');
    expect(bridge.graph.seen.at(-1)?.headers.authorization).toBe('Bearer next-token-of-the-test');
  });
});
