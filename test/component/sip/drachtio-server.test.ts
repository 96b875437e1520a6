import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OpenCalls } from '../../../src/journal/open-calls.js';
import { MemoryJournal } from '../../../src/journal/memory-journal.js';
import { systemClock } from '../../../src/lib/clock.js';
import { systemIds } from '../../../src/lib/ids.js';
import type { InboundCall } from '../../../src/sip/inbound-call.js';
import { SipUserAgent, type SipUserAgentOptions } from '../../../src/sip/sip-user-agent.js';
import { drachtioSecret as secret, DrachtioServer } from '../../support/drachtio-server.js';
import { eventually } from '../../support/eventually.js';
import { FakeMediaEngine } from '../../support/fake-media-engine.js';
import { LegLog } from '../../support/leg-log.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { PEER_SDP, PeerMessage, SipScriptPeer } from '../../support/sip-script-peer.js';
import { sceneTrunk } from '../../support/sip-scene.js';
import { TcpCable } from '../../support/tcp-cable.js';

describe('with a drachtio-server', () => {
  let server: DrachtioServer;
  let pbx: SipScriptPeer;
  let journal: MemoryJournal;
  let agents: SipUserAgent[];

  beforeEach(async () => {
    server = await DrachtioServer.start();
    pbx = await SipScriptPeer.udp();
    journal = new MemoryJournal();
    agents = [];
  });
  afterEach(async () => {
    await Promise.all(agents.map((agent) => agent.close()));
    await pbx.stop();
    await server.stop();
  });

  const sip = (): { host: string; port: number } => ({ host: '127.0.0.1', port: server.sipPort });

  async function agentOn(
    port: number,
    onCall: (call: InboundCall) => void = () => undefined,
    overrides: Partial<SipUserAgentOptions> = {},
  ): Promise<SipUserAgent> {
    const agent = new SipUserAgent({
      connect: { host: '127.0.0.1', port, secret },
      trunks: [sceneTrunk],
      media: new FakeMediaEngine(),
      journal,
      observer: { step: () => undefined },
      logger: new RecordingLogger(),
      clock: systemClock,
      ids: systemIds,
      timeouts: { closeMs: 300 },
      ...overrides,
    });
    agents.push(agent);
    agent.onInboundCall(onCall);
    await agent.connect();
    return agent;
  }

  /** What the journal would tell a new process. */
  function orphans() {
    const open = new OpenCalls();
    for (const entry of journal.entries()) open.apply(entry);
    return open.calls().flatMap(({ dialogs }) => dialogs);
  }

  function dial(agent: SipUserAgent): LegLog {
    const address = { hostname: pbx.host, port: pbx.port, transport: 'udp' as const };
    const leg = agent.createOutboundLeg({
      call: systemIds.callId(),
      target: {
        trunk: sceneTrunk,
        server: { ...address, priority: 1, weight: 1, requestUriUserParams: {} },
        user: '100',
      },
      caller: { user: '+4915112345678', name: 'Anna' },
      whatsApp: { numberId: '105', callId: 'wacid.ABC==', direction: 'user_initiated' },
    });
    const log = new LegLog(leg);
    leg.dial();
    return log;
  }

  /** One call in each state; returns what the PBX holds of them. */
  async function callsUp(agent: SipUserAgent, calls: InboundCall[]) {
    const invite = pbx.newRequest('INVITE', `sip:100@127.0.0.1:${server.sipPort}`, { body: PEER_SDP });
    pbx.send(invite, sip());
    await eventually(() => calls.length === 1, 'call announced');
    const answered = pbx.newRequest('INVITE', `sip:200@127.0.0.1:${server.sipPort}`, { body: PEER_SDP });
    pbx.send(answered, sip());
    await eventually(() => calls.length === 2, 'second call announced');
    calls[1]!.leg.answer();
    const ok = await pbx.response(200, 'INVITE');
    const up = new PeerMessage(answered, sip(), undefined, 0);
    pbx.send(pbx.inDialog('ACK', up, ok, { cseq: 1 }), sip());
    dial(agent);
    const ringing = await pbx.request('INVITE');
    pbx.reply(ringing, 180, 'Ringing', { toTag: 'early' });
    const placed = dial(agent);
    const taken = await pbx.request('INVITE');
    pbx.reply(taken, 200, 'OK', { toTag: 'taken', body: PEER_SDP });
    await pbx.request('ACK');
    await placed.saw('answered');
    await eventually(() => orphans().filter(({ data }) => data['txn'] ?? data['dialogId']).length === 4, 'all noted');
    return { invite: new PeerMessage(invite, sip(), undefined, 0), up, ok, ringing, taken };
  }

  async function byes(): Promise<string[]> {
    const seen: string[] = [];
    for (let count = 0; count < 2; count++) {
      const bye = await pbx.request('BYE', 4000);
      pbx.reply(bye, 200, 'OK');
      seen.push(bye.get('Call-ID'));
    }
    return seen.sort();
  }

  it('that is wedged is found out by its SIP port, its link being up, and so is its recovery', async () => {
    const logger = new RecordingLogger();
    const agent = await agentOn(server.adminPort, undefined, { watchesServer: true, logger, trunks: [] });
    await eventually(() => logger.text().includes('SIP server answers'), 'asked once', 5_000);
    // Questions from its own machine are nobody's whom to warn of.
    expect(logger.text()).not.toContain('unknown source');
    server.signal('SIGSTOP');
    await eventually(() => !agent.ready, 'found wedged', 14_000);
    server.signal('SIGCONT');
    await eventually(() => agent.ready, 'found well', 8_000);
  }, 30_000);

  it('that outlives its application, the next one ends every call', async () => {
    const calls: InboundCall[] = [];
    const cable = await TcpCable.to(server.adminPort);
    const first = await agentOn(cable.port, (call) => calls.push(call));
    const { invite, up, ringing, taken } = await callsUp(first, calls);
    const left = orphans();
    await cable.cut();
    const second = await agentOn(server.adminPort);
    const ending = second.endOrphanDialogs(left);
    const [refusal, cancel, ended] = await Promise.all([
      pbx.response(503, 'INVITE', 4000),
      pbx.request('CANCEL', 4000).then((message) => {
        pbx.reply(message, 200, 'OK');
        pbx.reply(ringing, 487, 'Request Terminated', { toTag: 'early' });
        return message;
      }),
      byes(),
    ]);
    await ending;
    expect(refusal.get('Call-ID')).toBe(invite.get('Call-ID'));
    expect(cancel.branch).toBe(ringing.branch);
    expect(ended).toEqual([up.get('Call-ID'), taken.get('Call-ID')].sort());
    expect(orphans()).toEqual([]);
  });

  it('that is killed, its application ends the dialogs through the next server', async () => {
    const calls: InboundCall[] = [];
    const agent = await agentOn(server.adminPort, (call) => calls.push(call));
    const { up, taken } = await callsUp(agent, calls);
    await server.kill();
    await eventually(() => !agent.ready, 'loss noticed');
    await server.run();
    expect(await byes()).toEqual([up.get('Call-ID'), taken.get('Call-ID')].sort());
    await eventually(() => orphans().length === 0, 'journal closed', 5000);
  });
});
