import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import type { TlsServer } from '../../../src/sip-server/transport/tls-settings.js';
import { readClientHello } from '../../support/client-hello.js';
import { eventually } from '../../support/eventually.js';
import { PEER_SDP } from '../../support/sip-script-peer.js';
import { keyPair, testAuthority, tlsFile } from '../../support/tls-fixtures.js';
import { read } from './bench.js';
import { refusedWith } from './srf-app.js';
import type { TlsBenchOptions } from './tls-bench.js';
import { closed, collector, plainLine, serverEntry, TlsBench } from './tls-bench.js';

const ending: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

async function started(options: TlsBenchOptions = {}): Promise<TlsBench> {
  const tls = await TlsBench.start(options);
  ending.push(() => tls.stop());
  return tls;
}

async function collecting(answer?: string): Promise<{ port: number; bytes: () => Buffer }> {
  const one = await collector(answer);
  ending.push(() => one.stop());
  return one;
}

/** The peer calls over this connection, up to ACK. */
async function calledOver(
  tls: TlsBench,
  line: Socket,
  uri: string,
): Promise<{ ok: string; hangUp: () => Promise<unknown> }> {
  const { bench, peer } = tls;
  const dialogs: { destroy(): Promise<unknown> }[] = [];
  bench.answerCalls((dialog) => dialogs.push(dialog));
  await bench.routed();
  const text = peer.newRequest('INVITE', uri, { body: PEER_SDP });
  peer.send(text, line);
  const ok = await peer.response(200, 'INVITE');
  expect(ok.connection).toBe(line);
  peer.send(peer.inDialog('ACK', read(text), ok, { cseq: 1 }), line);
  await eventually(() => dialogs.length === 1, 'dialog');
  return { ok: ok.contactUri, hangUp: () => dialogs[0]!.destroy() };
}

describe('over TLS', () => {
  it('takes a call and answers on the connection it came on; the app’s BYE uses it too', async () => {
    const tls = await started();
    const line = await tls.dial();
    const { ok, hangUp } = await calledOver(tls, line, `sip:100@127.0.0.1:${tls.portOf('tls')};transport=tls`);
    expect(ok).toBe(`sip:127.0.0.1:${tls.portOf('tls')};transport=tls`);
    const over = hangUp();
    const bye = await tls.peer.request('BYE');
    expect(bye.connection).toBe(line);
    expect(bye.get('Via')).toContain('SIP/2.0/TLS');
    tls.peer.reply(bye, 200, 'OK');
    await over;
    await tls.bench.quiet();
  });

  it('takes a sips: call and shows a sips: Contact', async () => {
    const tls = await started();
    const line = await tls.dial();
    const { ok, hangUp } = await calledOver(tls, line, `sips:100@127.0.0.1:${tls.portOf('tls')}`);
    expect(ok).toBe(`sips:127.0.0.1:${tls.portOf('tls')}`);
    const over = hangUp();
    tls.peer.reply(await tls.peer.request('BYE'), 200, 'OK');
    await over;
  });

  it('places calls, repeats nothing, and uses one connection for all of them', async () => {
    const tls = await started();
    const first = await tls.call();
    const second = await tls.call();
    const sips = await tls.call(`sips:bob@localhost:${tls.peer.port}`);
    expect(second.connection).toBe(first.connection);
    expect(sips.connection).toBe(first.connection);
    const invites = tls.peer.received.filter((message) => message.method === 'INVITE');
    expect(invites).toHaveLength(3);
    expect(invites[0]?.get('Via')).toContain(`SIP/2.0/TLS 127.0.0.1:${tls.portOf('tls')};`);
    expect(invites[0]?.contactUri).toBe(`sip:127.0.0.1:${tls.portOf('tls')};transport=tls`);
    expect(invites[2]?.contactUri).toBe(`sips:127.0.0.1:${tls.portOf('tls')}`);
    for (const { dialog } of [first, second, sips]) {
      expect((await tls.bench.appHangsUp(dialog)).connection).toBe(first.connection);
    }
    await tls.bench.quiet();
  });

  it('connects anew in the middle of a call, as to the server it dialled by name', async () => {
    const tls = await started();
    const { dialog, connection } = await tls.call();
    connection?.end();
    await closed(connection!);
    // The peer's Contact has its address, which its certificate does not: pbx.pem has names only.
    const bye = await tls.bench.appHangsUp(dialog);
    expect(bye.uri).toBe(`sip:peer@127.0.0.1:${tls.peer.port};transport=tls`);
  });

  it.each<[string, Partial<TlsServer>]>([
    ['two names', {}],
    ['a name that is checked and the same one unchecked', { serverName: 'pbx.test', verify: false }],
  ])('keeps connections of %s apart, though they lead to one address', async (_what, first) => {
    const tls = await started();
    const one = await tls.call();
    const { port } = tls.peer;
    const servers = [serverEntry({ port, ...first }), serverEntry({ port, host: 'pbx.test' })];
    const two = await started({ settings: { servers } });
    const [localhost, pbx] = [tls.uri(), `${tls.uri('pbx.test')};maddr=127.0.0.1`];
    const connectionOf = async (uri: string): Promise<Socket | undefined> => {
      two.bench.srf.request(uri, { method: 'OPTIONS' }, () => undefined);
      const options = await tls.peer.request('OPTIONS');
      tls.peer.reply(options, 200, 'OK');
      return options.connection;
    };
    const byFirst = await connectionOf(localhost);
    const bySecond = await connectionOf(pbx);
    expect(bySecond).not.toBe(byFirst);
    expect(byFirst).not.toBe(one.connection);
    expect([await connectionOf(localhost), await connectionOf(pbx)]).toEqual([byFirst, bySecond]);
  });
});

describe('the ClientHello', () => {
  const hello = async (options: Partial<Parameters<typeof serverEntry>[0]>, host = 'localhost') => {
    const server = await collecting();
    const tls = await started({ settings: { servers: [serverEntry({ port: server.port, host, ...options })] } });
    tls.bench.srf.createUAC(tls.uri(host, server.port), { localSdp: PEER_SDP }).catch(() => undefined);
    await eventually(() => readClientHello(server.bytes()) !== undefined, 'a ClientHello');
    return readClientHello(server.bytes());
  };

  it('names the server, and offers no application protocol', async () => {
    expect(await hello({})).toEqual({ serverName: 'localhost', alpn: undefined });
  });

  it('names what the trunk says, and offers what it says', async () => {
    expect(await hello({ serverName: 'pbx.test', alpn: ['sip', 'x'] })).toEqual({
      serverName: 'pbx.test',
      alpn: ['sip', 'x'],
    });
  });

  it('has no name for an address (RFC 6066 §3)', async () => {
    expect(await hello({}, '127.0.0.1')).toEqual({ serverName: undefined, alpn: undefined });
  });
});

describe('a server', () => {
  const FAILED = 'TLS connection to a server failed';

  it.each([
    ['of another name', { certificate: 'other-name' }, /^its certificate is for another name: .*other\.test/],
    ['whose certificate has expired', { certificate: 'expired' }, /^its certificate has expired$/],
    [
      'of an unknown authority',
      { certificate: 'stranger' },
      /^its certificate is of an authority that is not trusted$/,
    ],
    [
      'of the public, it should be',
      { server: { caFile: undefined } },
      /^its certificate is of an authority that is not/,
    ],
    [
      'with TLS 1.1 at most',
      { peer: { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } },
      /./,
    ],
    [
      'that wants a certificate of another authority',
      { peer: { requestCert: true, ca: keyPair('stranger').cert } },
      /^it (does not accept our certificate|closed the connection before it sent anything)$/,
    ],
  ] satisfies [string, TlsBenchOptions, RegExp][])(
    '%s gets no request: 503 at once and a line in the log',
    async (_what, options, why) => {
      const tls = await started(options);
      const calling = tls.bench.srf.createUAC(tls.uri(), { localSdp: PEER_SDP });
      expect(await refusedWith(calling)).toBe(503);
      expect(tls.said(FAILED)).toEqual([expect.stringMatching(why)]);
      expect(tls.peer.received).toEqual([]);
      await tls.bench.quiet();
    },
  );

  it('that speaks no TLS gives 503 at once, and never sees a word of SIP', async () => {
    const server = await collecting('SIP/2.0 400 Bad Request\r\n\r\n');
    const tls = await started({ settings: { servers: [serverEntry({ port: server.port })] } });
    const calling = tls.bench.srf.createUAC(tls.uri('localhost', server.port), { localSdp: PEER_SDP });
    expect(await refusedWith(calling)).toBe(503);
    expect(tls.said(FAILED)).toEqual(['it speaks no TLS on that port']);
    expect(server.bytes().toString('latin1')).not.toContain('INVITE');
  });

  it('that never finishes the handshake gives 503 in connectMs', async () => {
    const server = await collecting();
    const settings = { servers: [serverEntry({ port: server.port })] };
    const tls = await started({ settings, timers: { connectMs: 1_000 } });
    const calling = tls.bench.srf.createUAC(tls.uri('localhost', server.port), { localSdp: PEER_SDP });
    const refused = refusedWith(calling);
    await eventually(() => server.bytes().length > 0, 'a ClientHello');
    tls.bench.clock.skip(1_000);
    expect(await refused).toBe(503);
  });

  it.each([
    ['is checked for the name the trunk gives', { certificate: 'other-name', server: { serverName: 'other.test' } }],
    ['may be proved by a SIP URI in its certificate (RFC 5922)', { server: { serverName: 'uri.test' } }],
    ['is not checked if the trunk says so', { certificate: 'expired', server: { verify: false, caFile: undefined } }],
    ['may ask for our certificate', { peer: { requestCert: true, rejectUnauthorized: true, ca: testAuthority } }],
  ] satisfies [string, TlsBenchOptions][])('%s', async (_what, options) => {
    const tls = await started(options);
    const { dialog } = await tls.call();
    await tls.bench.appHangsUp(dialog);
  });
});

describe('connections that peers opened', () => {
  const outside = async (tls: TlsBench): Promise<Socket | undefined> => {
    tls.bench.srf.request(tls.uri(), { method: 'OPTIONS' }, () => undefined);
    const options = await tls.peer.request('OPTIONS');
    tls.peer.reply(options, 200, 'OK');
    return options.connection;
  };
  /** The peer says that it can be reached at `host` over this connection. */
  const claim = async (tls: TlsBench, line: Socket, host: string): Promise<void> => {
    const text = tls.peer.newRequest('FROBNICATE', `sip:127.0.0.1:${tls.portOf('tls')}`);
    const via = `SIP/2.0/TLS ${host}:${tls.peer.port};alias;branch=`;
    tls.peer.send(text.replace(/SIP\/2\.0\/TLS [^;]+;branch=/, via), line);
    await tls.peer.response(501, 'FROBNICATE');
  };
  const request = { settings: { clientCertificates: 'request' } } as const;

  it('carry answers and their own calls only', async () => {
    const tls = await started(request);
    const line = await tls.dial();
    await claim(tls, line, 'localhost');
    expect(await outside(tls)).not.toBe(line);
  });

  it('carry our requests, too, when their certificate proves the name in Via (RFC 5923)', async () => {
    const tls = await started(request);
    const line = await tls.dial('pbx');
    await claim(tls, line, 'localhost');
    expect(await outside(tls)).toBe(line);
  });

  it.each(['other-name', 'stranger', 'expired'] as const)('do not when it is that of %s', async (certificate) => {
    const tls = await started(request);
    const line = await tls.dial(certificate);
    await claim(tls, line, 'localhost');
    expect(await outside(tls)).not.toBe(line);
  });

  it('need a certificate where one is required', async () => {
    const tls = await started({ settings: { clientCertificates: 'require' } });
    const line = await tls.dial('pbx');
    const refused = await tls.dial().catch(() => undefined);
    if (refused) await closed(refused);
    await eventually(() => tls.said('TLS handshake of a peer failed').length === 1, 'a line in the log');
    expect(tls.said('TLS handshake of a peer failed')).toEqual(['it shows no certificate']);
    expect(line.destroyed).toBe(false);
  });
});

describe('new certificate files', () => {
  const shown = (line: Socket): string =>
    line instanceof TLSSocket ? String(line.getPeerCertificate().subject.CN) : '';
  const REFUSED = 'TLS certificate files cannot be used; the old ones stay';

  it('are used for new connections, and calls that are up go on', async () => {
    const tls = await started();
    const line = await tls.dial();
    expect(shown(line)).toBe('bridge');
    const { hangUp } = await calledOver(tls, line, `sip:100@127.0.0.1:${tls.portOf('tls')};transport=tls`);
    tls.replaceOwn('bridge-next');
    const replaced = (): boolean => tls.bench.log.lines.some((it) => it.message === 'TLS certificate replaced');
    await eventually(replaced, 'the new certificate', 10_000);
    expect(shown(await tls.dial())).toBe('bridge-next');
    const over = hangUp();
    const bye = await tls.peer.request('BYE');
    expect(bye.connection).toBe(line);
    tls.peer.reply(bye, 200, 'OK');
    await over;
  });

  it.each([
    ['a key of another certificate', 'bridge-next', 'pbx', /own\.key: is not the key of the certificate$/],
    ['a certificate that has expired', 'expired', 'expired', /own\.pem: has expired/],
  ] as const)('with %s are refused once, by name, and the old ones stay', async (_what, cert, key, why) => {
    const tls = await started();
    tls.replaceOwn(cert, key);
    await eventually(() => tls.said(REFUSED).length === 1, 'a line in the log', 10_000);
    expect(tls.said(REFUSED)).toEqual([expect.stringMatching(why)]);
    expect(shown(await tls.dial())).toBe('bridge');
    tls.replaceOwn('bridge-next');
    const replaced = (): boolean => tls.bench.log.lines.some((it) => it.message === 'TLS certificate replaced');
    await eventually(replaced, 'the repaired certificate', 10_000);
    expect(tls.said(REFUSED)).toHaveLength(1);
    expect(shown(await tls.dial())).toBe('bridge-next');
  });

  it('that cannot be used at the start are named', async () => {
    const settings = { certFile: tlsFile('pbx.pem') };
    await expect(TlsBench.start({ settings })).rejects.toMatchObject({
      code: 'SIP2WA_SIP_SERVER_TLS',
      message: expect.stringMatching(/own\.key: is not the key of the certificate/) as string,
    });
  });
});

describe('hostile peers', () => {
  it('that speak plain SIP to the TLS port are closed, with a line in the log', async () => {
    const tls = await started();
    const line = await plainLine(tls.tls);
    line.write('OPTIONS sip:x@y SIP/2.0\r\n\r\n');
    await closed(line);
    expect(tls.said('TLS handshake of a peer failed')).toEqual(['it speaks no TLS on that port']);
  });

  it('that speak TLS to the TCP port are closed at once', async () => {
    const tls = await started();
    const dialled = tls.peer.dial({ host: '127.0.0.1', port: tls.portOf('tcp') }, { ca: testAuthority });
    await expect(dialled).rejects.toThrow();
    expect(tls.bench.log.text()).toContain('a TLS handshake on a connection without TLS');
  });

  it('that leave handshakes half open are bounded, keep nobody else out, and are closed in connectMs', async () => {
    const tls = await started();
    const lines = await Promise.all(Array.from({ length: 260 }, () => plainLine(tls.tls)));
    const open = (): number => lines.filter((line) => !line.destroyed).length;
    await eventually(() => open() === 200, 'no more than 200 of one source');
    const options = tls.peer.newRequest('FROBNICATE', `sip:127.0.0.1:${tls.portOf('tls')}`);
    const good = await tls.dial(undefined, '127.0.0.2');
    tls.peer.send(options, good);
    await tls.peer.response(501, 'FROBNICATE');
    tls.bench.clock.skip(8_000);
    await eventually(() => open() === 0, 'the end of them all');
    await tls.dial();
  });
});

it('pings the connections we opened, and closes one whose peer has stopped to answer', async () => {
  const tls = await started();
  const { dialog, connection } = await tls.call();
  const pings: string[] = [];
  const answer = (chunk: Buffer): void => {
    pings.push(chunk.toString());
    if (pings.length === 1) connection?.write('\r\n');
  };
  connection?.on('data', answer);
  tls.bench.clock.skip(90_000);
  await eventually(() => pings.length === 1, 'a ping');
  expect(pings).toEqual(['\r\n\r\n']);
  // Something that comes back shows that the pong before it was read.
  tls.bench.srf.request(tls.uri(), { method: 'OPTIONS' }, () => undefined);
  tls.peer.reply(await tls.peer.request('OPTIONS'), 200, 'OK');
  await tls.bench.appHangsUp(dialog);
  const count = pings.length;
  tls.bench.clock.skip(90_000);
  await eventually(() => pings.length > count, 'another ping');
  tls.bench.clock.skip(10_000);
  await closed(connection!);
});
