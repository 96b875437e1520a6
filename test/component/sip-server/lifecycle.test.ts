import { afterEach, describe, expect, it } from 'vitest';
import { BridgeError } from '../../../src/lib/bridge-error.js';
import { silentLogger } from '../../../src/lib/logger.js';
import type { EmbeddedSipServer } from '../../../src/sip-server/start-embedded-sip-server.js';
import { startEmbeddedSipServer } from '../../../src/sip-server/start-embedded-sip-server.js';
import { eventually } from '../../support/eventually.js';
import { PEER_SDP, SipScriptPeer } from '../../support/sip-script-peer.js';
import { hopByHop } from '../../support/hop-by-hop.js';
import { Bench } from './bench.js';
import { connectSrf } from './srf-app.js';
import { requireIpv6 } from '../../support/require-ipv6.js';

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
});

async function started(...args: Parameters<typeof Bench.start>): Promise<Bench> {
  const bench = await Bench.start(...args);
  running.push(bench);
  return bench;
}

async function server(listen: Parameters<typeof startEmbeddedSipServer>[0]['listen']): Promise<EmbeddedSipServer> {
  const one = await startEmbeddedSipServer({ listen, logger: silentLogger });
  running.push(one);
  return one;
}

describe('listening', () => {
  it('gives udp and tcp of one host the same free port', async () => {
    const { sockets } = await server([
      { transport: 'udp', host: '127.0.0.1', port: 0 },
      { transport: 'tcp', host: '127.0.0.1', port: 0 },
    ]);
    expect(sockets.map((socket) => socket.transport).sort()).toEqual(['tcp', 'udp']);
    expect(new Set(sockets.map((socket) => socket.port)).size).toBe(1);
  });

  it.each(['udp', 'tcp'] as const)('refuses a %s port that another server has', async (transport) => {
    const first = await server([{ transport, host: '127.0.0.1', port: 0 }]);
    const port = first.sockets[0]!.port;
    const second = startEmbeddedSipServer({ listen: [{ transport, host: '127.0.0.1', port }], logger: silentLogger });
    await expect(second).rejects.toMatchObject({ code: 'SIP2WA_SIP_SERVER_LISTEN' });
  });

  it('refuses TLS with a reason', async () => {
    const start = startEmbeddedSipServer({
      listen: [{ transport: 'tls', host: '127.0.0.1', port: 0 }],
      logger: silentLogger,
    });
    await expect(start).rejects.toBeInstanceOf(BridgeError);
    await expect(start).rejects.toMatchObject({ code: 'SIP2WA_SIP_SERVER_TLS' });
  });

  it('shows the local address towards the peer when bound to all, and the advertised one when there is one', async () => {
    const wild = await started({ listen: [{ transport: 'udp', host: '0.0.0.0', port: 0 }] });
    wild.srf.request(wild.peerUri, { method: 'OPTIONS' }, () => undefined);
    const shown = await wild.peer.request('OPTIONS');
    expect(shown.get('Via')).toContain(`127.0.0.1:${wild.sip.port};`);
    const named = await started({ advertisedHost: 'sip.example.com' });
    named.srf.createUAC(named.peerUri, { localSdp: PEER_SDP }).catch(() => undefined);
    const invite = await named.peer.request('INVITE');
    expect(invite.get('Via')).toContain(`sip.example.com:${named.sip.port};`);
    expect(invite.contactUri).toBe(`sip:sip.example.com:${named.sip.port}`);
    named.peer.reply(invite, 486, 'Busy Here', { toTag: 'x' });
  });

  it('traces every message and survives a tracer that throws', async () => {
    const lines: string[] = [];
    const ways: unknown[] = [];
    const bench = await started({
      onMessage: (message) => {
        ways.push([message.local, message.remote]);
        lines.push(`${message.direction} ${message.transport} ${message.text.split('\r\n')[0]}`);
        throw new Error('broken tracer');
      },
    });
    bench.send('OPTIONS');
    await bench.peer.response(503, 'OPTIONS');
    expect(lines).toEqual([`in udp OPTIONS ${bench.uri()} SIP/2.0`, 'out udp SIP/2.0 503 Service Unavailable']);
    const [us, peer] = [bench.sip.port, bench.peer.port].map((port) => ({ host: '127.0.0.1', port }));
    for (const way of ways) expect(way).toMatchObject([us, peer]);
  });
});

describe('when the application goes', () => {
  it('its calls are ended: BYE, CANCEL and 503; later requests get 481 and 503', async () => {
    const bench = await started();
    const { invite, ok } = await bench.inboundCall();
    bench.srf.createUAC(bench.peerUri, { localSdp: PEER_SDP }).catch(() => undefined);
    const outgoing = await bench.peer.request('INVITE');
    bench.peer.reply(outgoing, 180, 'Ringing', { toTag: 'p' });
    await eventually(() => bench.server.counts().dialogs === 2, 'two dialogs');
    bench.srf.disconnect();
    const bye = await bench.peer.request('BYE');
    expect(bye.get('Reason')).toContain('application gone');
    bench.peer.reply(bye, 200, 'OK');
    const cancel = await bench.peer.request('CANCEL');
    bench.peer.reply(cancel, 200, 'OK');
    bench.peer.reply(outgoing, 487, 'Request Terminated', { toTag: 'p' });
    await bench.peer.request('ACK');
    bench.peer.send(bench.peer.inDialog('BYE', invite, ok, { cseq: 9 }), bench.sip);
    await bench.peer.response(481, 'BYE');
    bench.send('INVITE');
    await bench.peer.response(503, 'INVITE');
    await bench.quiet();
  });

  it('an INVITE it has not answered gets 503', async () => {
    const bench = await started();
    const handled = bench.handle('invite');
    await bench.routed();
    const invite = bench.send('INVITE', { body: PEER_SDP });
    await handled;
    bench.srf.disconnect();
    const refusal = await bench.peer.response(503, 'INVITE');
    bench.peer.send(hopByHop('ACK', invite, refusal.get('To')), bench.sip);
    await bench.quiet();
  });

  it('another application takes over new calls', async () => {
    const bench = await started();
    const second = await connectSrf(bench.server);
    const seen: string[] = [];
    for (const [name, app] of [
      ['first', bench.srf],
      ['second', second],
    ] as const) {
      app.use('options', (_req, res) => {
        seen.push(name);
        res.send(200);
      });
    }
    await bench.routed();
    await new Promise<void>((resolve) => second.request(bench.uri(), { method: 'OPTIONS' }, () => resolve()));
    for (let round = 0; round < 4; round++) {
      bench.send('OPTIONS');
      await bench.peer.response(200, 'OPTIONS');
    }
    expect([...seen].sort()).toEqual(['first', 'first', 'second', 'second']);
    expect(seen[0]).not.toBe(seen[1]);
    bench.srf.disconnect();
    await eventually(() => seen.length === 4, 'quiet');
    await new Promise((resolve) => setImmediate(resolve));
    bench.send('OPTIONS');
    await bench.peer.response(200, 'OPTIONS');
    expect(seen.at(-1)).toBe('second');
    second.disconnect();
  });
});

it('carries calls over IPv6', async () => {
  await requireIpv6();
  const one = await server([{ transport: 'udp', host: '::1', port: 0 }]);
  const at = { host: '::1', port: one.sockets[0]!.port };
  const srf = await connectSrf(one);
  const peer = await SipScriptPeer.udp('::1');
  running.push(peer);
  srf.use('options', (_req, res) => res.send(200));
  await new Promise<void>((resolve) => srf.request(`sip:[::1]:${at.port}`, { method: 'OPTIONS' }, () => resolve()));
  const text = peer
    .newRequest('OPTIONS', `sip:[::1]:${at.port}`)
    .replace(`UDP [::1]:${peer.port}`, 'UDP [2001:db8::9]:5060');
  peer.send(text, at);
  expect((await peer.response(200, 'OPTIONS')).get('Via')).toContain(`;rport=${peer.port};received=::1`);
  const calling = srf.createUAC(`sip:bob@[::1]:${peer.port}`, { localSdp: PEER_SDP });
  const invite = await peer.request('INVITE');
  expect(invite.contactUri).toBe(`sip:[::1]:${at.port}`);
  peer.reply(invite, 200, 'OK', { toTag: 'p', body: PEER_SDP });
  const over = (await calling).destroy();
  peer.reply(await peer.request('BYE'), 200, 'OK');
  await over;
  srf.disconnect();
});

it('leaves nothing behind after many calls at once', async () => {
  const bench = await started({ timers: {} });
  bench.answerCalls();
  await bench.routed();
  const invites = Array.from({ length: 50 }, () => bench.send('INVITE', { body: PEER_SDP }));
  for (const invite of invites) {
    const mine = (status: number, method: string) => (message: (typeof invites)[0]) =>
      message.status === status &&
      message.get('CSeq').endsWith(method) &&
      message.get('Call-ID') === invite.get('Call-ID');
    const ok = await bench.peer.next(mine(200, 'INVITE'), '200');
    bench.peer.send(bench.peer.inDialog('ACK', invite, ok, { cseq: 1 }), bench.sip);
    bench.peer.send(bench.peer.inDialog('BYE', invite, ok, { cseq: 2 }), bench.sip);
    await bench.peer.next(mine(200, 'BYE'), '200 to BYE');
  }
  expect(bench.server.counts()).toMatchObject({ dialogs: 0, pending: 0 });
  await bench.quiet();
  expect(bench.log.lines.filter((entry) => entry.level === 'error')).toEqual([]);
});
