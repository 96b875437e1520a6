import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemDns } from '../../../src/lib/dns-client.js';
import { DnsResponder } from '../../support/dns-responder.js';
import { eventually } from '../../support/eventually.js';
import { freePort } from '../../support/ports.js';
import { PEER_SDP, SipScriptPeer, type PeerMessage } from '../../support/sip-script-peer.js';
import { Bench } from './bench.js';
import type { SrfResponse } from './srf-app.js';

/** The embedded server where URIs have names: NAPTR, SRV, addresses, and the next server when one fails (RFC 3263). */
describe('a peer with a name', () => {
  let dns: DnsResponder;
  let bench: Bench;
  let [first, second, third]: SipScriptPeer[] = [];
  const srv = (service: string, ...peers: (SipScriptPeer | number)[]): void =>
    void dns.zone.set(service, {
      SRV: peers.map((peer, priority) => ({
        ...{ priority, weight: 1, name: 'host.pbx.test' },
        port: typeof peer === 'number' ? peer : peer.port,
      })),
    });

  beforeEach(async () => {
    dns = await DnsResponder.start({ 'host.pbx.test': { A: ['127.0.0.1'] } });
    [first, second, third] = [await SipScriptPeer.udp(), await SipScriptPeer.udp(), await SipScriptPeer.tcp()];
    bench = await Bench.start({ peer: first, dns: systemDns({ servers: [dns.server], timeoutMs: 100 }) });
  });
  afterEach(async () => {
    await bench.stop();
    await second!.stop();
    await third!.stop();
    await dns.stop();
  });

  const options = (uri: string): Promise<number> =>
    new Promise((resolve, reject) =>
      bench.srf.request(uri, { method: 'OPTIONS' }, (error, request) => {
        if (!request) return reject(new Error('not sent', { cause: error }));
        request.on('response', ({ status }: SrfResponse) => resolve(status));
      }),
    );
  const ok = (request: PeerMessage, on: SipScriptPeer): void => on.reply(request, 200, 'OK');

  it('is found by NAPTR and SRV, over the transport that DNS names', async () => {
    dns.zone.set('pbx.test', {
      NAPTR: [
        { order: 1, preference: 2, service: 'SIP+D2U', replacement: '_sip._udp.pbx.test' },
        { order: 1, preference: 1, service: 'SIP+D2T', replacement: '_sip._tcp.pbx.test' },
      ],
    });
    srv('_sip._tcp.pbx.test', third!);
    srv('_sip._udp.pbx.test', first!);
    const asked = options('sip:pbx.test');
    const request = await third!.request('OPTIONS');
    expect(request.uri).toBe('sip:pbx.test');
    expect(request.get('Via')).toMatch(/^SIP\/2\.0\/TCP /);
    ok(request, third!);
    expect(await asked).toBe(200);
  });

  it('is asked of SRV when the URI names the transport, and by its address when it names the port', async () => {
    srv('_sip._udp.pbx.test', second!);
    const byService = options('sip:pbx.test;transport=udp');
    ok(await second!.request('OPTIONS'), second!);
    expect(await byService).toBe(200);
    const byPort = options(`sip:host.pbx.test:${first!.port}`);
    ok(await first!.request('OPTIONS'), first!);
    expect(await byPort).toBe(200);
    expect(dns.asked.filter((question) => /^(NAPTR|SRV)/.test(question))).toEqual(['SRV _sip._udp.pbx.test']);
  });

  it('gets a request at its next server when one is closed, says 503, or is silent', async () => {
    srv('_sip._udp.pbx.test', await freePort(), first!, second!);
    const asked = options('sip:pbx.test;transport=udp');
    const tried = await first!.request('OPTIONS');
    first!.reply(tried, 503, 'Service Unavailable');
    const again = await second!.request('OPTIONS');
    expect([again.cseq, again.get('Call-ID')]).toEqual([tried.cseq, tried.get('Call-ID')]);
    expect(again.branch).not.toBe(tried.branch);
    ok(again, second!);
    expect(await asked).toBe(200);
    // Silence: 8 T1 instead of 64.
    srv('_sip._udp.pbx2.test', first!, second!);
    const silent = options('sip:pbx2.test;transport=udp');
    await first!.request('OPTIONS');
    ok(await second!.request('OPTIONS'), second!);
    expect(await silent).toBe(200);
  });

  it('gets an INVITE at its next server, and the dialog is with that', async () => {
    srv('_sip._udp.pbx.test', await freePort(), first!, second!);
    const calling = bench.srf.createUAC('sip:bob@pbx.test;transport=udp', { localSdp: PEER_SDP });
    first!.reply(await first!.request('INVITE'), 503, 'Service Unavailable', { toTag: 'x' });
    await first!.request('ACK');
    const invite = await second!.request('INVITE');
    second!.reply(invite, 200, 'OK', { toTag: 'peer2', body: PEER_SDP });
    const dialog = await calling;
    await second!.request('ACK');
    const over = dialog.destroy();
    const bye = await second!.request('BYE');
    expect(bye.tag('To')).toBe('peer2');
    ok(bye, second!);
    await over;
  });

  it('is not tried again after it has rung, nor after the call was given up', async () => {
    srv('_sip._udp.pbx.test', first!, second!);
    const calling = bench.srf.createUAC('sip:bob@pbx.test;transport=udp', { localSdp: PEER_SDP });
    const refused = calling.catch((error: unknown) => (error as { status: number }).status);
    const invite = await first!.request('INVITE');
    first!.reply(invite, 180, 'Ringing', { toTag: 'x' });
    first!.reply(invite, 503, 'Service Unavailable', { toTag: 'x' });
    expect(await refused).toBe(503);
    expect(second!.received).toEqual([]);
  });

  it('is the last failure when no server is left', async () => {
    srv('_sip._udp.pbx.test', await freePort(), await freePort());
    expect(await options('sip:pbx.test;transport=udp')).toBe(503);
    expect(await options('sip:gone.pbx.test')).toBe(503);
  });

  it('is found inside a dialog by its Record-Route, and the BYE goes on to its next server', async () => {
    srv('_sip._udp.pbx.test', first!, second!);
    const { dialog } = await bench.outboundCall(['Record-Route: <sip:pbx.test;transport=udp;lr>']);
    const over = dialog.destroy();
    first!.reply(await first!.request('BYE'), 503, 'Service Unavailable');
    const bye = await second!.request('BYE');
    expect(bye.get('Route')).toBe('<sip:pbx.test;transport=udp;lr>');
    ok(bye, second!);
    await over;
    await eventually(() => bench.server.counts().dialogs === 0, 'no dialog');
  });

  describe('whose connection is gone when the answer comes', () => {
    /** A request from 127.0.0.1 that names itself as this, and the peer behind 127.0.0.2 on the same port. */
    const request = async (addresses: readonly string[]) => {
      dns.zone.set('far.pbx.test', { A: addresses });
      const far = await SipScriptPeer.tcp('127.0.0.2');
      const waiting = bench.handle('options');
      await bench.routed();
      const socket = await third!.dial(bench.server.sockets.find(({ transport }) => transport === 'tcp')!);
      const text = third!.newRequest('OPTIONS', bench.uri());
      third!.send(text.replace(/^(Via: \S+) [^;]+/m, `$1 far.pbx.test:${far.port}`), socket);
      const { res } = await waiting;
      const closed = new Promise((resolve) => socket.once('close', resolve));
      socket.destroy();
      await closed;
      // By the time of a whole exchange the server has seen the end of that connection, too.
      const exchange = options(bench.peerUri);
      ok(await first!.request('OPTIONS'), first!);
      await exchange;
      return { far, res };
    };

    it('gets it at another place of the name in its Via', async () => {
      const { far, res } = await request(['127.0.0.1', '127.0.0.2']);
      res.send(200);
      expect((await far.response(200, 'OPTIONS')).get('Via')).toContain('far.pbx.test');
      await far.stop();
    });

    it('gets none where the name leads elsewhere alone', async () => {
      const { far, res } = await request(['127.0.0.2']);
      res.send(200);
      await eventually(() => dns.count('A far.pbx.test') > 0, 'the question');
      await eventually(
        () => bench.log.lines.some(({ message }) => message === 'sip answer could not be sent'),
        'the log',
      );
      expect(far.received).toEqual([]);
      await far.stop();
    });
  });

  it('holds nobody else up while DNS hangs, and is not asked for again and again', async () => {
    for (const name of ['dead.test', '_sip._udp.dead.test']) dns.zone.set(name, 'silence');
    // DNS that takes longer than any stall of this machine.
    await bench.stop();
    bench = await Bench.start({ dns: systemDns({ servers: [dns.server], timeoutMs: 500 }) });
    let over = 0;
    const hanging = Array.from({ length: 50 }, () => options('sip:dead.test;transport=udp').finally(() => over++));
    const alive = options(bench.peerUri);
    ok(await bench.peer.request('OPTIONS'), bench.peer);
    expect(await alive).toBe(200);
    expect(over).toBe(0);
    expect(await Promise.all(hanging)).toEqual(hanging.map(() => 503));
    expect(dns.count('SRV _sip._udp.dead.test')).toBeLessThanOrEqual(2);
    expect(await options('sip:dead.test;transport=udp')).toBe(503);
    expect(dns.count('SRV _sip._udp.dead.test')).toBeLessThanOrEqual(2);
  });
});
