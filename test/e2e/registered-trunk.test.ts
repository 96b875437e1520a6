import { afterEach, describe, expect, it } from 'vitest';
import { credentialsOf, Registrar } from '../component/sip/registration/registrar.js';
import { NUMBER_ID, ScriptedBridge } from '../support/scripted-bridge.js';
import { PEER_SDP, SipScriptPeer } from '../support/sip-script-peer.js';
import { readFixture } from '../support/fixtures.js';
import { loopbackSdp } from '../support/loopback-sdp.js';

const offer = loopbackSdp(readFixture('sdp/meta-user-initiated-offer-from-meta.sdp'));

describe('a daemon whose trunk registers', () => {
  let bridge: ScriptedBridge;
  let peers: SipScriptPeer[];
  afterEach(async () => {
    await bridge.stop();
    await Promise.all(peers.map((peer) => peer.stop()));
  });

  const start = async (): Promise<readonly [Registrar, Registrar]> => {
    const [first, second] = [await SipScriptPeer.udp(), await SipScriptPeer.udp()];
    peers = [first, second];
    bridge = await ScriptedBridge.start({
      trunks: () => `
trunks:
  - name: pbx
    servers:
      - { hostname: 127.0.0.1, port: ${first.port}, priority: 1 }
      - { hostname: 127.0.0.1, port: ${second.port}, priority: 2 }
    auth: { username: account, password: registers-here }
    register: true
    register_expires: 5m
    qualify: 0s
numbers: [{ id: "${NUMBER_ID}", number: "+15551112222", name: sales, trunk: pbx }]
`,
    });
    return [new Registrar(first), new Registrar(second)];
  };
  /** What is told of registrations from now on. */
  const registrationEvents = (): unknown[] => {
    const told: unknown[] = [];
    const listen = async (): Promise<void> => {
      for await (const event of bridge.daemon.events.subscribe())
        if (event.type === 'registration') told.push(event.data);
    };
    void listen();
    return told;
  };
  const admin = async (path: string): Promise<string> => {
    const { host, port } = bridge.daemon.addresses.admin;
    return (await fetch(`http://${host}:${port}${path}`)).text();
  };
  const metric = ({ peer }: Registrar, value: 0 | 1) =>
    expect
      .poll(() => admin('/metrics'), { timeout: 8_000 })
      .toContain(`sip2wa_trunk_registered{trunk="pbx",server="127.0.0.1:${peer.port}"} ${value}\n`);

  it('shows it, tries last who refuses it, takes the registrar’s calls, and takes it back when it stops', async () => {
    const [first, second] = await start();
    const told = registrationEvents();
    first.refuse(await first.register(), 403, 'Forbidden');
    const granted = await second.admit(300);
    expect([granted.get('Expires'), credentialsOf(granted)['username']]).toEqual(['300', 'account']);
    await metric(first, 0);
    await metric(second, 1);
    const place = ({ peer }: Registrar): string => `127.0.0.1:${peer.port}`;
    expect(told).toEqual([
      { trunk: 'pbx', server: place(first), state: 'failed', why: '403 Forbidden' },
      { trunk: 'pbx', server: place(second), state: 'registered' },
    ]);
    const shown = await admin('/readyz?verbose');
    expect(shown).toContain(`[+] registration pbx: ${place(first)} not registered: 403 Forbidden\n`);
    expect(shown).toContain(`[+] registration pbx: ${place(second)} registered\n`);
    expect(await admin('/readyz')).toBe('ok\n');

    await bridge.deliver(bridge.userConnect('wacid.1', offer));
    const invite = await second.peer.request('INVITE');
    second.peer.reply(invite, 486, 'Busy Here', { toTag: 'x' });
    expect((await bridge.record(0)).code).toBe('busy');
    expect(first.peer.count(({ method }) => method === 'INVITE')).toBe(0);

    const call = second.peer.newRequest('INVITE', granted.contactUri, { body: PEER_SDP });
    const [sip] = bridge.daemon.addresses.sip;
    second.peer.send(call.replace(/^To: .*$/m, 'To: <sip:+4915112345678@pbx.example>'), sip!);
    const connect = () => bridge.graph.seen.find(({ body }) => body['action'] === 'connect');
    await expect.poll(() => connect()?.body['to'], { timeout: 4_000 }).toBe('4915112345678');

    const stopped = bridge.daemon.stop();
    const last = await second.register();
    expect(last.get('Expires')).toBe('0');
    second.grant(last);
    await stopped;
  });
});
