import { afterEach, describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import { MemoryJournal } from '../../../src/journal/memory-journal.js';
import { systemClock } from '../../../src/lib/clock.js';
import { systemDns } from '../../../src/lib/dns-client.js';
import { systemIds } from '../../../src/lib/ids.js';
import type { SipServer, Target, Trunk } from '../../../src/routing/types.js';
import { SipUserAgent } from '../../../src/sip/sip-user-agent.js';
import { drachtioSecret, DrachtioServer } from '../../support/drachtio-server.js';
import { DnsResponder } from '../../support/dns-responder.js';
import { FakeMediaEngine } from '../../support/fake-media-engine.js';
import { LegLog } from '../../support/leg-log.js';
import { freePort } from '../../support/ports.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { sceneTrunk } from '../../support/sip-scene.js';
import { PEER_SDP, SipScriptPeer } from '../../support/sip-script-peer.js';

const named: SipServer = {
  ...{ hostname: 'pbx.test', port: 5060, transport: 'udp', lookup: 'naptr', priority: 1, weight: 1 },
  requestUriUserParams: {},
};

describe('a trunk with names through a drachtio-server', () => {
  const stops: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  /** An agent on a drachtio-server of its own, a PBX, and DNS that knows both of its places: the first is closed. */
  const scene = async (over: Partial<Trunk> = {}) => {
    const [server, dns] = [await DrachtioServer.start(), await DnsResponder.start()];
    const pbx = await SipScriptPeer.udp();
    dns.zone.set('host.pbx.test', { A: ['127.0.0.1'] });
    const places = [await freePort(), pbx.port].map((port, priority) => ({
      port,
      priority,
      weight: 1,
      name: 'host.pbx.test',
    }));
    dns.zone.set('_sip._udp.pbx.test', { SRV: places });
    stops.push(
      () => server.stop(),
      () => dns.stop(),
      () => pbx.stop(),
    );
    const trunk: Trunk = { ...sceneTrunk, servers: [named], ...over };
    const agent = new SipUserAgent({
      connect: { host: '127.0.0.1', port: server.adminPort, secret: drachtioSecret },
      trunks: [trunk],
      dns: systemDns({ servers: [dns.server], timeoutMs: 200 }),
      ...{ media: new FakeMediaEngine(), journal: new MemoryJournal(), observer: { step: () => undefined } },
      ...{ logger: new RecordingLogger(), clock: systemClock, ids: systemIds, random: () => 0 },
    });
    stops.push(() => agent.close());
    await agent.connect();
    const dial = (target: Target) => {
      const whatsApp = { numberId: '105', callId: 'wacid.A', direction: 'user_initiated' } as const;
      const caller = { user: '+4915112345678', name: 'Anna' };
      const leg = agent.createOutboundLeg({ call: systemIds.callId(), target, caller, whatsApp });
      const log = new LegLog(leg);
      leg.dial();
      return { leg, log };
    };
    const targets = await agent.placed([{ trunk, server: trunk.servers[0]!, user: '+15551112222' }]);
    return { pbx, dial, targets };
  };
  const answered = async (
    pbx: SipScriptPeer,
    { leg, log }: { leg: { hangup: (reason: ReturnType<typeof endReason>) => void }; log: LegLog },
  ): Promise<string> => {
    const invite = await pbx.request('INVITE');
    pbx.reply(invite, 200, 'OK', { toTag: 'p1', body: PEER_SDP });
    await log.saw('answered');
    leg.hangup(endReason('hangup'));
    pbx.reply(await pbx.request('BYE'), 200, 'OK', { noContact: true });
    await log.saw('terminated');
    return invite.uri;
  };

  it('is dialled at each place that SRV names, until one answers', async () => {
    const { pbx, dial, targets } = await scene();
    expect(targets).toHaveLength(2);
    const first = dial(targets[0]!);
    expect(await first.log.saw('failed')).toMatchObject({ retry: true, reason: { code: 'trunk_down' } });
    await first.log.saw('terminated');
    expect(await answered(pbx, dial(targets[1]!))).toBe('sip:+15551112222@pbx.test');
  });

  it('is dialled through the proxy, its own name being nobody else’s affair', async () => {
    const inside = { ...named, hostname: 'inside.pbx.test', lookup: undefined, port: 5070 };
    const { pbx, dial, targets } = await scene({ servers: [inside], outboundProxy: named });
    expect(await answered(pbx, dial(targets[1]!))).toBe('sip:+15551112222@inside.pbx.test:5070');
  });
});
