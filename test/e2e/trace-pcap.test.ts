import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { callTraceCommand } from '../../src/cli/call.js';
import { PcapngBlocks } from '../../src/cli/pcapng-blocks.js';
import { runCli } from '../../src/cli/program.js';
import { CapturedConsole, saidBy, type Said } from '../support/captured-console.js';
import { ScriptedBridge } from '../support/scripted-bridge.js';
import { until } from '../support/until.js';
import { WrtcPeer } from '../support/wrtc-peer.js';

const TOKEN = 'admin-token-of-the-test';

describe('call trace --pcap beside a running daemon', () => {
  let bridge: ScriptedBridge;
  let phone: WrtcPeer;
  let folder: string;

  beforeEach(async () => {
    phone = new WrtcPeer();
    folder = mkdtempSync(join(tmpdir(), 'sip2wa-pcap-'));
    bridge = await ScriptedBridge.start({ admin: `token: ${TOKEN}` });
    await bridge.deliver(bridge.userConnect('wacid.pcap', await phone.offer()));
    const invite = await bridge.pbx.request('INVITE');
    await bridge.pbxPicksUp(invite);
  });
  afterEach(async () => {
    phone.close();
    await bridge.stop();
    rmSync(folder, { recursive: true });
  });

  const surroundings = () => {
    const { host, port } = bridge.daemon.addresses.admin;
    return new CapturedConsole({ SIP2WA_CONFIG: bridge.configFile, SIP2WA_ADMIN_LISTEN: `${host}:${port}` });
  };
  const cli = (...args: string[]): Promise<Said> =>
    saidBy((io) => runCli(['call', 'trace', id(), ...args], io), surroundings());
  const id = (): string => bridge.daemon.timeline.calls.at(-1) ?? '';
  const file = (): string => join(folder, 'call.pcapng');
  const written = (): PcapngBlocks => {
    const blocks = new PcapngBlocks();
    expect(Buffer.concat(blocks.take(readFileSync(file())))).toEqual(readFileSync(file()));
    return blocks;
  };

  it('SIP so far at once, for people and as JSON, in a file of its owner alone', async () => {
    const plain = await cli('--pcap', file(), '--for', '0s');
    const packets = written().packets;
    expect(packets).toBe(3);
    expect(plain).toEqual({ code: 0, out: '', err: `sip2wa call trace: 3 packets in ${file()}\n` });
    expect(statSync(file()).mode & 0o077).toBe(0);
    const { code, out, err } = await cli('--pcap', file(), '--for', '0s', '--json');
    expect([code, err]).toEqual([0, '']);
    expect(JSON.parse(out)).toEqual({ ok: true, call: id(), file: file(), packets, dropped: 0, audio: false });
  });

  it('Ctrl-C ends it, and what was written is whole; the next one may record', async () => {
    const stop = new AbortController();
    const said = surroundings();
    const running = callTraceCommand(id(), { pcap: file(), for: '1h' }, said, stop.signal);
    await until(() => existsSync(file()) && statSync(file()).size > 200, 'the head of the file', 5_000);
    const second = await cli('--pcap', join(folder, 'second.pcapng'));
    expect(second).toMatchObject({ code: 1, err: expect.stringContaining('being recorded already') as string });
    stop.abort();
    expect(await running).toBe(0);
    expect(said.err).toContain('Ctrl-C ends it sooner');
    expect(written().packets).toBeGreaterThanOrEqual(3);
    await until(async () => (await cli('--pcap', file(), '--for', '1ms')).code === 0, 'room', 5_000);
  });

  it('nothing without the token, not even on this machine', async () => {
    const { host, port } = bridge.daemon.addresses.admin;
    const response = await fetch(`http://${host}:${port}/v1/calls/${id()}/capture`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"forMs":0}',
    });
    expect([response.status, await response.text()]).toEqual([401, expect.not.stringContaining('INVITE')]);
  });

  it.each([
    [['--for', '10s'], 2, '--for goes with --pcap'],
    [['--pcap', '/nowhere/call.pcapng'], 1, 'cannot be written (ENOENT)'],
    [['--pcap', 'x', '--for', 'long'], 2, '--for is a duration'],
    [['--pcap', 'x', '--for', '2h'], 2, '--for is a duration'],
  ])('%j: exit status %i', async (args, code, why) => {
    expect(await cli(...args)).toMatchObject({ code, out: '', err: expect.stringContaining(why) as string });
  });
});
