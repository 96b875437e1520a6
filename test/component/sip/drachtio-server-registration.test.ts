import { afterEach, describe, expect, it } from 'vitest';
import { MemoryJournal } from '../../../src/journal/memory-journal.js';
import { systemIds } from '../../../src/lib/ids.js';
import type { InboundCall } from '../../../src/sip/inbound-call.js';
import { SipUserAgent } from '../../../src/sip/sip-user-agent.js';
import { drachtioSecret, DrachtioServer } from '../../support/drachtio-server.js';
import { eventually } from '../../support/eventually.js';
import { FakeMediaEngine } from '../../support/fake-media-engine.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { sceneAuth, sceneTrunk } from '../../support/sip-scene.js';
import { PEER_SDP, SipScriptPeer } from '../../support/sip-script-peer.js';
import { SkippableClock } from '../../support/skippable-clock.js';
import { credentialsOf, expectedResponse, Registrar } from './registration/registrar.js';

describe('a trunk that registers through a drachtio-server', () => {
  const stops: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  it.each(['udp', 'tcp'] as const)('over %s', async (transport) => {
    const server = await DrachtioServer.start();
    stops.push(() => server.stop());
    const peer = await SipScriptPeer[transport]();
    stops.push(() => peer.stop());
    const registrar = new Registrar(peer);
    const place = { hostname: peer.host, port: peer.port, transport, priority: 1, weight: 1 };
    const clock = new SkippableClock();
    const calls: InboundCall[] = [];
    const agent = new SipUserAgent({
      connect: { host: '127.0.0.1', port: server.adminPort, secret: drachtioSecret },
      trunks: [
        {
          ...sceneTrunk,
          ...{ auth: sceneAuth, register: true, acceptFrom: [], acceptFromServers: true },
          servers: [{ ...place, requestUriUserParams: {} }],
        },
      ],
      ...{ media: new FakeMediaEngine(), journal: new MemoryJournal(), observer: { step: () => undefined } },
      ...{ logger: new RecordingLogger(), clock, ids: systemIds, random: () => 0 },
    });
    stops.push(() => agent.close());
    agent.onInboundCall((call) => calls.push(call));
    await agent.connect();
    agent.registrations.start();
    const isUp = (): boolean => agent.registrations.statuses().every(({ isRegistered }) => isRegistered);

    const first = await registrar.register();
    registrar.challenge(first, { algorithm: 'SHA-256' });
    const second = await registrar.register();
    expect(first.uri).toBe(`sip:${peer.place}`);
    const parameter = transport === 'udp' ? '' : ';transport=tcp';
    expect(second.contactUri).toBe(`sip:bridge@127.0.0.1:${server.sipPort}${parameter}`);
    expect(credentialsOf(second)['response']).toBe(expectedResponse(second, sceneAuth.password, 'sha256'));
    registrar.grant(second, 100);
    await eventually(isUp, 'registered');

    clock.skip(75_000);
    const refresh = await registrar.register();
    for (const name of ['Call-ID', 'From', 'To', 'Contact']) expect(refresh.get(name)).toBe(first.get(name));
    expect([second.cseq - first.cseq, refresh.cseq - second.cseq]).toEqual([1, 1]);
    if (transport === 'tcp') expect(refresh.connection).toBe(first.connection);
    registrar.grant(refresh, 100);

    const invite = peer.newRequest('INVITE', second.contactUri, { body: PEER_SDP });
    const to = second.connection ?? { host: '127.0.0.1', port: server.sipPort };
    peer.send(invite.replace(/^To: .*$/m, 'To: <sip:+4915112345678@pbx.example>'), to);
    await eventually(() => calls.length === 1, 'call announced');
    expect(calls[0]!.calledUser).toBe('+4915112345678');
    const closed = agent.close();
    const last = await registrar.register();
    expect([last.get('Expires'), last.cseq - refresh.cseq]).toEqual(['0', 1]);
    registrar.grant(last);
    await peer.next(({ status = 0 }) => status >= 500, 'the refusal of the call');
    await closed;
  });
});
