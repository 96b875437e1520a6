import type { Socket } from 'node:dgram';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { boundSocket } from '../support/bound-socket.js';
import { isAlive } from '../support/is-alive.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { pbxSdp, ScriptedBridge } from '../support/scripted-bridge.js';
import type { PeerMessage } from '../support/sip-script-peer.js';
import { until } from '../support/until.js';
import { WrtcPeer } from '../support/wrtc-peer.js';

/** Of a worker that died both sides are told at once; less than the 5 s that tell of one that hangs, on a machine that is slow itself. */
const toldMs = 4000;
/** Five seconds of silence, and then the same. */
const hangToldMs = 5500 + toldMs;
const restartMs = 15_000;

describe('media in worker processes', () => {
  let bridge: ScriptedBridge;
  let logger: RecordingLogger;
  let phone: WrtcPeer;
  let rtp: Socket;

  beforeEach(async () => {
    logger = new RecordingLogger();
    phone = new WrtcPeer();
    rtp = await boundSocket();
  });
  afterEach(async () => {
    phone.close();
    rtp.close();
    await bridge.stop();
    for (const pid of started()) expect(isAlive(pid)).toBe(false);
  });

  /** Process ids of all workers that ever took calls, in the order in which they began. */
  const started = (): number[] =>
    logger.lines.filter(({ message }) => message === 'media worker ready').map(({ fields }) => Number(fields['pid']));

  const ready = async (): Promise<string> => {
    const { host, port } = bridge.daemon.addresses.admin;
    const response = await fetch(`http://${host}:${port}/readyz?verbose`);
    return `${response.status} ${await response.text()}`;
  };

  const metric = async (name: string): Promise<number> => {
    const { text } = await bridge.daemon.metrics.read();
    const lines = text.split('\n').filter((line) => line.startsWith(`sip2wa_media_worker_${name}{`));
    return lines.reduce((sum, line) => sum + Number(line.split(' ')[1]), 0);
  };

  /** A call up to the point where the PBX hears the phone. */
  const connect = async (id: string, peer: WrtcPeer): Promise<PeerMessage> => {
    const before = bridge.graph.seen.length;
    expect(await bridge.deliver(bridge.userConnect(id, await peer.offer()))).toBe(200);
    const invite = await bridge.pbx.request('INVITE');
    const heard = new Promise<Buffer>((resolve) => rtp.once('message', resolve));
    bridge.pbx.reply(invite, 200, 'OK', { toTag: id, body: pbxSdp(rtp.address().port) });
    await bridge.pbx.request('ACK');
    await until(() => bridge.graph.seen.length >= before + 2, 'accept', 10_000);
    const session = bridge.session(before);
    peer.play();
    await peer.accept(session.sdp);
    await peer.reaches('connected');
    expect((await heard)[1]! & 0x7f).toBe(8);
    return invite;
  };

  const hangUp = async (invite: PeerMessage, tag: string, index: number): Promise<void> => {
    bridge.pbx.send(bridge.pbx.fromCallee('BYE', invite, tag, 1), bridge.sip);
    await bridge.pbx.response(200, 'BYE');
    expect(await bridge.record(index)).toMatchObject({ code: 'hangup', endedBy: 'b' });
  };

  /** Both sides are told, and how long after `sinceMs` the later one was. */
  const bothTold = async (sinceMs: number): Promise<number> => {
    const bye = await bridge.pbx.next(({ method }) => method === 'BYE', 'BYE', 20_000);
    bridge.pbx.reply(bye, 200, 'OK');
    await until(() => bridge.actions.includes('terminate'), 'terminate', 20_000);
    return performance.now() - sinceMs;
  };

  it('a worker that is killed ends its call on both sides; it is replaced and the next call is well', async () => {
    bridge = await ScriptedBridge.start({ logger, workers: 1 });
    const [pid] = started();
    expect(await ready()).toMatch(/^200 .*media/s);
    await connect('wacid.1', phone);
    expect(await metric('calls')).toBe(1);

    const killedMs = performance.now();
    process.kill(pid!, 'SIGKILL');
    expect(await bothTold(killedMs)).toBeLessThan(toldMs);
    expect(await bridge.record()).toMatchObject({
      code: 'internal',
      result: 'server_error',
      text: 'the media worker ended',
    });
    expect(logger.lines.find(({ message }) => message === 'media worker ended')?.fields).toMatchObject({
      ...{ why: 'SIGKILL', pid, calls: 1 },
    });

    await until(() => started().length === 2, 'replacement', restartMs);
    expect(await metric('restarts_total')).toBe(1);
    expect(await ready()).toMatch(/^200 /);
    const second = new WrtcPeer();
    await hangUp(await connect('wacid.2', second), 'wacid.2', 1);
    second.close();
  });

  it('a worker that hangs is found out, killed and replaced, and its call ends on both sides', async () => {
    bridge = await ScriptedBridge.start({ logger, workers: 1 });
    const [pid] = started();
    await connect('wacid.1', phone);
    const stoppedMs = performance.now();
    process.kill(pid!, 'SIGSTOP');
    expect(await bothTold(stoppedMs)).toBeLessThan(hangToldMs);
    expect(await bridge.record()).toMatchObject({ code: 'internal' });
    await until(() => started().length === 2, 'replacement', restartMs);
    await until(() => !isAlive(pid!), 'end of the worker that hung');
  });

  it('a call that comes while the only worker is being replaced waits for it', async () => {
    bridge = await ScriptedBridge.start({ logger, workers: 1 });
    process.kill(started()[0]!, 'SIGKILL');
    await until(() => logger.lines.some(({ message }) => message === 'media worker ended'), 'end');
    expect(await ready()).toMatch(/^503 /);
    await bridge.deliver(bridge.userConnect('wacid.1', await phone.offer()));
    // It comes to the PBX, or is refused in time: on a slow machine a worker takes longer to start than a call may wait.
    const outcome = await Promise.race([
      bridge.pbx.request('INVITE').then(
        (invite) => invite,
        () => undefined,
      ),
      bridge.record().then(() => undefined),
    ]);
    if (outcome) expect(started()).toHaveLength(2);
    else expect(await bridge.record()).toMatchObject({ code: 'limit' });
  });

  it('calls are spread over the workers, and only those of one that dies end', async () => {
    bridge = await ScriptedBridge.start({ logger, workers: 2 });
    await until(() => started().length === 2, 'both workers', restartMs);
    const other = new WrtcPeer();
    const first = await connect('wacid.1', phone);
    const second = await connect('wacid.2', other);
    const { text } = await bridge.daemon.metrics.read();
    expect(text).toContain('sip2wa_media_worker_calls{worker="1"} 1');
    expect(text).toContain('sip2wa_media_worker_calls{worker="2"} 1');
    const [pid] = started();
    const worker = logger.lines.find(({ fields }) => fields['pid'] === pid)?.fields['worker'];
    process.kill(pid!, 'SIGKILL');
    const bye = await bridge.pbx.request('BYE');
    bridge.pbx.reply(bye, 200, 'OK');
    expect(await bridge.record()).toMatchObject({ code: 'internal' });
    const dead = bye.get('Call-ID') === first.get('Call-ID') ? 0 : 1;
    expect(['1', '2']).toContain(worker);
    expect(bridge.daemon.calls()).toBe(1);
    const [living, tag] = dead === 0 ? ([second, 'wacid.2'] as const) : ([first, 'wacid.1'] as const);
    await new Promise<Buffer>((resolve) => rtp.once('message', resolve));
    await hangUp(living, tag, 1);
    other.close();
  });
});
