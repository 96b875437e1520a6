import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkKeyPair } from '../../../../src/lib/certificates.js';
import { systemClock } from '../../../../src/lib/clock.js';
import type { DnsClient } from '../../../../src/lib/dns-client.js';
import { boundSocket } from '../../../support/bound-socket.js';
import { freePort } from '../../../support/ports.js';
import { SipScriptPeer } from '../../../support/sip-script-peer.js';
import { keyPair, tlsFile, type FixtureName } from '../../../support/tls-fixtures.js';
import { DoctorScene } from './doctor-scene.js';

let scene: DoctorScene;
let closing: (() => Promise<unknown>)[];
beforeEach(async () => {
  closing = [];
  scene = await DoctorScene.start();
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  await scene.close();
});

const dnsOf = (records: Partial<Record<string, readonly string[]>>, more: Partial<DnsClient> = {}): DnsClient => ({
  addresses: (host) => {
    const found = records[host];
    return found
      ? Promise.resolve(found)
      : Promise.reject(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }));
  },
  srv: () => Promise.resolve([]),
  naptr: () => Promise.resolve([]),
  ...more,
});

const pbxCure = (transport: string): string =>
  `see that the PBX runs, listens to ${transport} on that port, and lets this machine's address in (trunk pbx)`;

describe('trunks', () => {
  it('any answer to OPTIONS is a sign of life, over TCP as well; 503 is a warning', async () => {
    const pbx = await SipScriptPeer.tcp();
    scene.answer(pbx, 405);
    const busy = await SipScriptPeer.udp();
    scene.answer(busy, 503);
    scene.write({
      trunk: `servers: [{ hostname: 127.0.0.1, port: ${pbx.port}, transport: tcp }, { hostname: 127.0.0.1, port: ${busy.port} }]`,
    });
    const all = await scene.checks();
    const [tcp, udp] = [`127.0.0.1:${pbx.port}`, `127.0.0.1:${busy.port}`];
    expect(all.get(`trunk pbx ${tcp} tcp`)).toMatchObject({ state: 'ok', cure: null });
    expect(all.get(`trunk pbx ${tcp} tcp`)?.detail).toMatch(
      new RegExp(`^tcp ${tcp} answers OPTIONS with 405 in \\d+ ms$`),
    );
    expect(all.get(`trunk pbx ${udp} udp`)).toMatchObject({
      ...{ state: 'warning', cure: 'see at the PBX why it takes no calls' },
    });
  });

  it('sends a well-formed request', async () => {
    scene.write();
    await scene.run();
    const [options] = scene.pbx.received;
    expect(options?.startLine).toBe(`OPTIONS sip:127.0.0.1:${scene.pbx.port} SIP/2.0`);
    for (const header of ['Via', 'Max-Forwards', 'From', 'To', 'Call-ID', 'CSeq', 'Contact', 'Content-Length']) {
      expect(options?.all(header)).toHaveLength(1);
    }
    expect(options?.branch).toMatch(/^z9hG4bK/);
  });

  it('goes through the outbound proxy, as calls do', async () => {
    const trunk = `servers: [{ hostname: 192.0.2.1 }], outbound_proxy: { hostname: 127.0.0.1, port: ${scene.pbx.port} }`;
    scene.write({ trunk: trunk.replace('], ', ']\n    ') });
    expect((await scene.check(`trunk pbx 127.0.0.1:${scene.pbx.port} udp`)).state).toBe('ok');
  });

  it.each(['udp', 'tcp'])('a closed %s port fails', async (transport) => {
    const port = await freePort();
    scene.write({ trunk: `servers: [{ hostname: 127.0.0.1, port: ${port}, transport: ${transport} }]` });
    const found = await scene.check(`trunk pbx 127.0.0.1:${port} ${transport}`);
    expect([found.state, found.cure]).toEqual(['failed', pbxCure(transport)]);
    expect(found.detail).toContain('ECONNREFUSED');
  });

  it('a lost request is sent again', async () => {
    const socket = await boundSocket();
    let heard = 0;
    socket.on('message', (bytes, from) => {
      const head = bytes.toString().replace(/^OPTIONS .*/, 'SIP/2.0 200 OK');
      if (heard++ > 0) socket.send(head, from.port, from.address);
    });
    scene.write({ trunk: `servers: [{ hostname: 127.0.0.1, port: ${socket.address().port} }]` });
    const found = await scene.check(`trunk pbx 127.0.0.1:${socket.address().port} udp`);
    expect([found.state, heard]).toEqual(['ok', 2]);
    await new Promise<void>((resolve) => socket.close(resolve));
  });

  it('shows what DNS says of a name, and asks where it leads', async () => {
    const dns = dnsOf(
      { 'sip1.example.com': ['127.0.0.1'] },
      {
        naptr: () =>
          Promise.resolve([
            {
              order: 10,
              preference: 20,
              flags: 's',
              service: 'SIP+D2U',
              regexp: '',
              replacement: '_sip._udp.example.com',
            },
          ]),
        srv: (name) =>
          Promise.resolve(
            name === '_sip._udp.example.com'
              ? [{ priority: 1, weight: 2, port: scene.pbx.port, name: 'sip1.example.com' }]
              : [],
          ),
      },
    );
    scene.write({ trunk: 'servers: [{ hostname: pbx.example.com }]' });
    const all = await scene.checks({ dns });
    expect(all.get('name pbx.example.com')).toMatchObject({
      state: 'ok',
      detail:
        `udp 127.0.0.1:${scene.pbx.port} (NAPTR pbx.example.com: 10 20 SIP+D2U _sip._udp.example.com; ` +
        `SRV _sip._udp.example.com: 1 2 ${scene.pbx.port} sip1.example.com)`,
    });
    expect(all.get('trunk pbx pbx.example.com')?.state).toBe('ok');
  });

  it('a name that is not found fails once', async () => {
    scene.write({ trunk: 'servers: [{ hostname: pbx.example.com, port: 5060, transport: udp }]' });
    const all = await scene.checks({ dns: dnsOf({}) });
    expect(all.get('name pbx.example.com:5060 udp')).toMatchObject({
      ...{ state: 'failed', detail: 'pbx.example.com cannot be found: ENOTFOUND: no such name' },
      cure: 'correct the name in the file, or mend DNS',
    });
    expect(all.get('trunk pbx pbx.example.com:5060 udp')).toMatchObject({
      ...{ state: 'skipped', detail: 'its name is not found' },
    });
  });

  it('of several places some that are silent are a warning', async () => {
    scene.write({ trunk: `servers: [{ hostname: pbx.test, port: ${scene.pbx.port}, transport: udp }]` });
    const dns = dnsOf({ 'pbx.test': ['127.0.0.1', '127.0.0.2'] });
    const found = await scene.check(`trunk pbx pbx.test:${scene.pbx.port} udp`, { dns });
    expect([found.state, found.cure]).toEqual(['warning', pbxCure('udp')]);
    expect(found.detail).toContain('127.0.0.2');
  });
});

describe('certificates', () => {
  const sip = `{ listen: ["tls://127.0.0.1:0"], tls: { cert: ${tlsFile('bridge.pem')}, key: ${tlsFile('bridge.key')} } }`;

  async function tlsTrunk(pair: FixtureName, more = `tls: { ca: ${tlsFile('ca.pem')} }`): Promise<string> {
    const pbx = await SipScriptPeer.tls(keyPair(pair));
    scene.answer(pbx);
    scene.write({ sip, trunk: `servers: [{ hostname: pbx.test, port: ${pbx.port}, transport: tls }]\n    ${more}` });
    return `pbx.test:${pbx.port}`;
  }
  const dns = dnsOf({ 'pbx.test': ['127.0.0.1'] });

  it('of a trunk: proves its name, says when it expires; OPTIONS goes over TLS', async () => {
    const place = await tlsTrunk('pbx');
    const all = await scene.checks({ dns });
    expect(all.get(`certificate ${place} tls`)?.state).toBe('ok');
    expect(all.get(`certificate ${place} tls`)?.detail).toMatch(/^proves pbx\.test, TLSv1\.3, expires in \d{5} days$/);
    expect(all.get(`trunk pbx ${place} tls`)).toMatchObject({ state: 'ok' });
    expect(all.get('own certificate')?.state).toBe('ok');
    expect(all.get('own certificate')?.detail).toContain('bridge.pem expires in');
  });

  it.each([
    ['other-name', 'it does not prove pbx.test: ', 'give the server a certificate of its name, or correct the name'],
    ['expired', 'it has expired on ', 'renew it at the server'],
    [
      'stranger',
      'its chain leads to no authority: UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'let the server send its whole chain; for an authority of your own set tls.ca',
    ],
  ] as const)('of a trunk: %s fails', async (pair, detail, cure) => {
    const place = await tlsTrunk(pair);
    const found = await scene.check(`certificate ${place} tls`, { dns });
    expect([found.state, found.cure]).toEqual(['failed', cure]);
    expect(found.detail).toContain(detail);
  });

  it('is a warning where the file takes any', async () => {
    const place = await tlsTrunk('other-name', 'tls: { verify: false }');
    const found = await scene.check(`certificate ${place} tls`, { dns });
    expect(found.state).toBe('warning');
    expect(found.detail).toContain('(taken all the same: tls.verify is false)');
  });

  it('a server that speaks no TLS fails', async () => {
    const server = createServer((socket: Socket) => {
      socket.on('error', () => undefined).resume();
      socket.end('SIP/2.0 400 what\r\n\r\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.push(() => new Promise((resolve) => server.close(resolve)));
    const { port } = server.address() as AddressInfo;
    scene.write({ sip, trunk: `servers: [{ hostname: pbx.test, port: ${port}, transport: tls }]` });
    const found = await scene.check(`certificate pbx.test:${port} tls`, { dns });
    const cure = 'see that the server speaks TLS on that port, and TLS 1.2 at least';
    expect([found.state, found.cure]).toEqual(['failed', cure]);
  });

  it('our own that ends soon is a warning', async () => {
    scene.write({ sip });
    const { cert, key } = keyPair('bridge');
    const nowMs = checkKeyPair(cert, key).notAfter.getTime() - 3.5 * 86_400_000;
    const found = await scene.check('own certificate', { clock: { ...systemClock, now: () => nowMs } });
    expect(found).toMatchObject({
      ...{ state: 'warning', detail: `${tlsFile('bridge.pem')} expires in 3 days` },
      cure: 'renew it; the files are taken without a restart',
    });
  });

  it('our own that has expired fails', async () => {
    scene.write({ sip: sip.replaceAll('bridge.', 'expired.') });
    const found = await scene.check('own certificate');
    expect([found.state, found.cure]).toEqual(['failed', 'renew it; the files are taken without a restart']);
    expect(found.detail).toContain('expired.pem has expired on ');
  });

  it('of a server that Meta is told to connect to', async () => {
    const pbx = await SipScriptPeer.tls(keyPair('pbx'));
    closing.push(() => pbx.stop());
    scene.write({ settings: `sip: { status: DISABLED, servers: [{ hostname: pbx.test, port: ${pbx.port} }] }` });
    const found = await scene.check(`certificate pbx.test:${pbx.port}`, { dns });
    // Of an authority that no public list has.
    expect(found).toMatchObject({
      ...{ state: 'failed', detail: 'its chain leads to no authority: UNABLE_TO_VERIFY_LEAF_SIGNATURE' },
      cure: 'Meta takes public authorities alone: get one’s certificate, and let the server send its whole chain',
    });
  });
});
