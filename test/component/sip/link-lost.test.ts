import { afterEach, beforeEach, expect, it } from 'vitest';
import type { OrphanDialog } from '../../../src/call/journal.js';
import { MemoryJournal } from '../../../src/journal/memory-journal.js';
import { systemClock } from '../../../src/lib/clock.js';
import { systemIds } from '../../../src/lib/ids.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { startEmbeddedSipServer, type EmbeddedSipServer } from '../../../src/sip-server/start-embedded-sip-server.js';
import { SipUserAgent } from '../../../src/sip/sip-user-agent.js';
import { eventually } from '../../support/eventually.js';
import { FakeMediaEngine } from '../../support/fake-media-engine.js';
import { LegLog } from '../../support/leg-log.js';
import { PEER_SDP, SipScriptPeer } from '../../support/sip-script-peer.js';
import { sceneTrunk } from '../../support/sip-scene.js';
import { TcpCable } from '../../support/tcp-cable.js';

let server: EmbeddedSipServer;
let cable: TcpCable;
let pbx: SipScriptPeer;
let journal: MemoryJournal;
let agent: SipUserAgent | undefined;

beforeEach(async () => {
  server = await startEmbeddedSipServer({
    listen: [{ transport: 'udp', host: '127.0.0.1', port: 0 }],
    logger: silentLogger,
  });
  cable = await TcpCable.to(server.port);
  pbx = await SipScriptPeer.udp();
  journal = new MemoryJournal();
});
afterEach(async () => {
  await agent?.close();
  await cable.cut();
  await pbx.stop();
  await server.stop();
});

async function connected(serverEndsOrphans?: (sipCallId: string) => boolean): Promise<SipUserAgent> {
  const made = new SipUserAgent({
    connect: { host: '127.0.0.1', port: cable.port, secret: server.secret },
    trunks: [sceneTrunk],
    media: new FakeMediaEngine(),
    journal,
    observer: { step: () => undefined },
    logger: silentLogger,
    clock: systemClock,
    ids: systemIds,
    ...(serverEndsOrphans && { serverEndsOrphans }),
    timeouts: { closeMs: 300 },
  });
  agent = made;
  await made.connect();
  return made;
}

/** A call to the PBX that is up, and whose link to the SIP server is then lost and found again. */
async function lostAndFound(serverEndsOrphans: boolean): Promise<SipUserAgent> {
  const made = await connected(serverEndsOrphans ? () => true : undefined);
  const address = { hostname: pbx.host, port: pbx.port, transport: 'udp' as const };
  const leg = made.createOutboundLeg({
    call: systemIds.callId(),
    target: {
      trunk: sceneTrunk,
      server: { ...address, priority: 1, weight: 1, requestUriUserParams: {} },
      user: '100',
    },
    caller: { user: '+4915112345678', name: undefined },
    whatsApp: { numberId: '105', callId: 'wacid.ABC==', direction: 'user_initiated' },
  });
  const log = new LegLog(leg);
  leg.dial();
  const invite = await pbx.request('INVITE');
  pbx.reply(invite, 200, 'OK', { toTag: 'theirs', body: PEER_SDP });
  await pbx.request('ACK');
  await log.saw('answered');
  cable.snap();
  await log.saw('terminated');
  // The embedded server ends the calls of an application that is gone by itself.
  const bye = await pbx.request('BYE');
  expect(bye.get('Reason')).toContain('application gone');
  pbx.reply(bye, 200, 'OK');
  await eventually(() => made.ready, 'link back', 4000);
  return made;
}

const events = (): string[] => journal.entries().map(({ event }) => event);

it('a dialog that was up gets its BYE by hand once the link is back, with a CSeq far above', async () => {
  await lostAndFound(false);
  const bye = await pbx.request('BYE');
  expect(bye.get('Reason')).toBe('SIP;cause=503;text="restarted"');
  expect(bye.tag('To')).toBe('theirs');
  expect(bye.cseq).toBeGreaterThan(1_000_000);
  pbx.reply(bye, 481, 'Call/Transaction Does Not Exist');
  await eventually(() => events().at(-1) === 'dialog_ended', 'end on record');
  expect(events()).toEqual(['dial', 'dial', 'dialog', 'dialog_ended']);
});

it('behind a SIP server that ends them itself there is no second BYE', async () => {
  await lostAndFound(true);
  await eventually(() => events().at(-1) === 'dialog_ended', 'end on record');
  expect(events()).toEqual(['dial', 'dialog', 'dialog_ended']);
  expect(pbx.requestsOf('BYE')).toBe(1);
});

it('what a crash left and the SIP server does not know of gets its BYE from here', async () => {
  const made = await connected((sipCallId) => sipCallId === 'known');
  const orphan = (sipCallId: string): OrphanDialog => ({
    call: systemIds.callId(),
    sipCallId,
    stands: true,
    data: {
      dialogId: `${sipCallId};from-tag=ours`,
      sipCallId,
      localTag: 'ours',
      remoteTag: 'theirs',
      localParty: '<sip:us@127.0.0.1>',
      remoteParty: '<sip:100@127.0.0.1>',
      cseq: '7 INVITE',
      remoteTarget: `sip:100@${pbx.place}`,
      routeSet: '',
      peer: `sip:${pbx.place}`,
    },
  });
  const ending = made.endOrphanDialogs([orphan('known'), orphan('unknown')]);
  const bye = await pbx.request('BYE');
  expect(bye.get('Call-ID')).toBe('unknown');
  expect(bye.get('To')).toBe('<sip:100@127.0.0.1>;tag=theirs');
  pbx.reply(bye, 200, 'OK');
  await ending;
  expect(pbx.requestsOf('BYE')).toBe(1);
  expect(events()).toEqual(['dialog_ended', 'dialog_ended']);
});
