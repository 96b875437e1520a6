import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemDns } from '../../src/lib/dns-client.js';
import { DnsResponder } from '../support/dns-responder.js';
import { readFixture } from '../support/fixtures.js';
import { loopbackSdp } from '../support/loopback-sdp.js';
import { OutgoingGuard } from '../support/outgoing-guard.js';
import { freePort } from '../support/ports.js';
import { NUMBER_ID, pbxSdp, ScriptedBridge } from '../support/scripted-bridge.js';
import { SipScriptPeer, type PeerMessage } from '../support/sip-script-peer.js';

const offer = loopbackSdp(readFixture('sdp/meta-user-initiated-offer-from-meta.sdp'));

describe('a trunk whose server has a name', () => {
  let dns: DnsResponder;
  let bridge: ScriptedBridge;
  let other: SipScriptPeer;
  let guard: OutgoingGuard;

  beforeEach(async () => {
    guard = new OutgoingGuard();
    dns = await DnsResponder.start({ 'sbc.pbx.test': { A: ['127.0.0.1'] } });
    other = await SipScriptPeer.udp();
  });
  afterEach(async () => {
    await bridge.stop();
    await other.stop();
    await dns.stop();
    expect(guard.strayed).toEqual([]);
    guard.stop();
  });

  const start = async (trunk: string, pbx?: SipScriptPeer): Promise<void> => {
    bridge = await ScriptedBridge.start({
      ...(pbx ? { pbx } : {}),
      dns: systemDns({ servers: [dns.server], timeoutMs: 100 }),
      trunks: () => `
trunks:
  - { name: pbx, accept_from: [127.0.0.1/32], ${trunk} }
numbers: [{ id: "${NUMBER_ID}", number: "+15551112222", name: sales, trunk: pbx }]
`,
    });
  };
  const services = (...ports: number[]): void =>
    void dns.zone.set('_sip._udp.pbx.test', {
      SRV: ports.map((port, priority) => ({ priority, weight: 1, port, name: 'sbc.pbx.test' })),
    });
  const invites = (peer: SipScriptPeer): number => peer.count(({ method }) => method === 'INVITE');
  const userCalls = (id: string): Promise<number> => bridge.deliver(bridge.userConnect(id, offer));
  const answered = async (peer: SipScriptPeer): Promise<PeerMessage> => {
    const invite = await peer.request('INVITE');
    peer.reply(invite, 200, 'OK', { toTag: 'p1', body: pbxSdp(40_000) });
    await peer.request('ACK');
    await bridge.connected();
    return invite;
  };

  it('is found by SRV; a call goes past the place that is closed and the one that says 503', async () => {
    const pbx = await SipScriptPeer.udp();
    services(await freePort(), other.port, pbx.port);
    await start('servers: [{ hostname: pbx.test }]', pbx);
    await userCalls('wacid.1');
    other.reply(await other.request('INVITE'), 503, 'Service Unavailable', { toTag: 'x' });
    const invite = await answered(pbx);
    expect(invite.uri).toBe('sip:+15551112222@pbx.test');
    pbx.send(pbx.fromCallee('BYE', invite, 'p1', 1), bridge.sip);
    expect(await bridge.record()).toMatchObject({ code: 'hangup', endedBy: 'b', trunk: 'pbx' });
  });

  it('is asked by OPTIONS at each place, and one that is dead is not tried first', async () => {
    const pbx = await SipScriptPeer.udp();
    services(await freePort(), pbx.port);
    await start('servers: [{ hostname: pbx.test, transport: udp }], qualify: 1s', pbx);
    const metric = async (): Promise<string> => {
      const { host, port } = bridge.daemon.addresses.admin;
      return (await fetch(`http://${host}:${port}/metrics`)).text();
    };
    const alive = await pbx.request('OPTIONS');
    expect(alive.uri).toBe('sip:pbx.test');
    pbx.reply(alive, 200, 'OK');
    await expect.poll(metric, { timeout: 8_000 }).toContain('sip2wa_trunk_up{trunk="pbx",server="pbx.test:5060"} 1\n');
    // A dead place is known after two questions: then a call's only INVITE is the one that is answered.
    const oneInvite = async (index: number): Promise<number> => {
      await userCalls(`wacid.${index}`);
      const invite = await pbx.request('INVITE');
      pbx.reply(invite, 486, 'Busy Here', { toTag: 'x' });
      const { call } = await bridge.record(index);
      return bridge.daemon.timeline.stepsOf(call).filter(({ step }) => step === 'sip.invite').length;
    };
    let index = 0;
    await expect.poll(() => oneInvite(index++), { timeout: 10_000, interval: 500 }).toBe(1);
  });

  it('stays where it was while DNS is down', async () => {
    const pbx = await SipScriptPeer.udp();
    services(pbx.port);
    await start('servers: [{ hostname: pbx.test }]', pbx);
    for (const name of ['pbx.test', '_sip._udp.pbx.test', 'sbc.pbx.test']) dns.zone.set(name, 'silence');
    await userCalls('wacid.1');
    pbx.reply(await pbx.request('INVITE'), 486, 'Busy Here', { toTag: 'x' });
    expect(await bridge.record()).toMatchObject({ code: 'busy' });
  });

  it('is no trunk for a call while nothing is known of it', async () => {
    dns.zone.set('pbx.test', 'servfail');
    await start('servers: [{ hostname: pbx.test }]');
    await userCalls('wacid.1');
    expect(await bridge.record()).toMatchObject({ code: 'trunk_down', text: 'server name not resolved' });
  });

  it('is reached through an outbound proxy, by whatever name; in a call the route set counts', async () => {
    const proxy = await SipScriptPeer.udp();
    dns.zone.set('_sip._udp.proxy.test', { SRV: [{ port: proxy.port, name: 'sbc.pbx.test' }] });
    const address = `{ hostname: proxy.test, transport: udp }`;
    await start(`servers: [{ hostname: inside.pbx.test, port: 5070 }], outbound_proxy: ${address}, qualify: 1s`, proxy);
    const asked = await proxy.request('OPTIONS');
    expect(asked.uri).toBe('sip:inside.pbx.test:5070');
    proxy.reply(asked, 200, 'OK');
    await userCalls('wacid.1');
    const invite = await proxy.request('INVITE');
    expect(invite.uri).toBe('sip:+15551112222@inside.pbx.test:5070');
    const route = `<sip:127.0.0.1:${proxy.port};lr>`;
    const contact = `Contact: <sip:600@127.0.0.1:${other.port}>`;
    const headers = [`Record-Route: ${route}`, contact];
    proxy.reply(invite, 200, 'OK', { toTag: 'p1', body: pbxSdp(40_000), headers, noContact: true });
    expect((await proxy.request('ACK')).get('Route')).toBe(route);
    await bridge.connected();
    await bridge.deliver(bridge.terminate('wacid.1', 'USER_INITIATED'));
    const bye = await proxy.request('BYE');
    expect([bye.uri, bye.get('Route')]).toEqual([`sip:600@127.0.0.1:${other.port}`, route]);
    proxy.reply(bye, 200, 'OK');
    await bridge.record();
    expect([invites(other), dns.count('A inside.pbx.test')]).toEqual([0, 0]);
  });
});
