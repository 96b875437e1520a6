import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { silentLogger } from '../../../../src/lib/logger.js';
import { RecordFile } from '../../../../src/sip-server/recovery/record-file.js';
import { replay } from '../../../../src/sip-server/recovery/replay.js';
import type { SipMessage, SipRequest, SipResponse } from '../../../../src/sip-server/sip/message.js';
import { parseMessage } from '../../../../src/sip-server/sip/parse.js';
import type {
  EmbeddedSipServer,
  EmbeddedSipServerOptions,
} from '../../../../src/sip-server/start-embedded-sip-server.js';
import { startEmbeddedSipServer } from '../../../../src/sip-server/start-embedded-sip-server.js';
import type { Flow } from '../../../../src/sip-server/transport/flow.js';
import { RecordingLogger } from '../../../support/recording-logger.js';
import { SkippableClock } from '../../../support/skippable-clock.js';
import type { PeerMessage } from '../../../support/sip-script-peer.js';
import { SipScriptPeer } from '../../../support/sip-script-peer.js';
import { FAST, read } from '../bench.js';

let dir: string;
let path: string;
let peer: SipScriptPeer;
let servers: EmbeddedSipServer[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sip2wa-left-'));
  path = join(dir, 'open.rec');
  peer = await SipScriptPeer.udp();
  servers = [];
});
afterEach(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  await peer.stop();
  rmSync(dir, { recursive: true, force: true });
});

async function started(options: Partial<EmbeddedSipServerOptions> = {}): Promise<EmbeddedSipServer> {
  const server = await startEmbeddedSipServer({
    listen: [{ transport: 'udp', host: '127.0.0.1', port: 0 }],
    timers: FAST,
    logger: silentLogger,
    recordFile: path,
    ...options,
  });
  servers.push(server);
  return server;
}

const parsed = (text: string): SipMessage => parseMessage(Buffer.from(text))!.message;
const towards = (): Flow => ({ protocol: 'udp', remote: { host: peer.host, port: peer.port } }) as Flow;

/** An INVITE to the peer as this server writes them. */
function ourInvite(port: number): PeerMessage {
  return read(
    [
      `INVITE sip:bob@${peer.place} SIP/2.0`,
      `Via: SIP/2.0/UDP 127.0.0.1:${port};rport;branch=z9hG4bK0123456789abcdef01234567`,
      `From: <sip:us@127.0.0.1:${port}>;tag=0123456789abcdef`,
      `To: <sip:bob@${peer.place}>`,
      'Call-ID: left@127.0.0.1',
      'CSeq: 77 INVITE',
      'Content-Length: 0',
      '',
      '',
    ].join('\r\n'),
  );
}

/** Notes as a process makes them that then stops dead. */
function noted(write: (record: RecordFile) => void): void {
  const { record } = RecordFile.open({ path, logger: silentLogger });
  write(record);
  record.close();
}

it('a 200 that was read but not acknowledged gets ACK, then BYE, each through the route set', async () => {
  const invite = ourInvite(5999);
  const route = `<sip:${peer.place};lr>`;
  const ok = peer.responseText(invite, 200, 'OK', { toTag: 'theirs', headers: [`Record-Route: ${route}`] });
  noted((record) => {
    record.calling('one', parsed(invite.raw) as SipRequest, towards());
    record.heard('one', parsed(ok) as SipResponse, towards());
  });
  const starting = started();
  const ack = await peer.request('ACK');
  const bye = await peer.request('BYE');
  expect(ack.get('CSeq')).toBe('77 ACK');
  expect(ack.get('Route')).toBe(route);
  expect(bye.get('Route')).toBe(route);
  expect(bye.uri).toBe(/<(.*)>/.exec(peer.contact)?.[1]);
  peer.reply(bye, 200, 'OK');
  // The peer did not get the ACK in time and repeats itself: it gets the same one again.
  peer.send(ok, { host: '127.0.0.1', port: (await starting).sockets[0]!.port });
  expect((await peer.request('ACK')).raw).toBe(ack.raw);
  expect(peer.requestsOf('BYE')).toBe(1);
});

it('a dialog whose peer has moved is ended where the peer is now', async () => {
  const moved = await SipScriptPeer.udp();
  const text = peer.newRequest('INVITE', 'sip:100@127.0.0.1:5999');
  noted((record) => {
    record.arrived('one', parsed(text) as SipRequest, towards());
    record.answered('one', 'ours');
    record.acknowledged('one');
    const flow = { protocol: 'udp', remote: { host: moved.host, port: moved.port } } as Flow;
    record.moved('one', `sip:new@${moved.place}`, flow);
  });
  const starting = started();
  const bye = await moved.request('BYE');
  expect(bye.uri).toBe(`sip:new@${moved.place}`);
  expect(bye.tag('From')).toBe('ours');
  moved.reply(bye, 481, 'Call/Transaction Does Not Exist');
  const { recovery } = await starting;
  await recovery.settled;
  expect(recovery.counts()).toEqual({ refused: 0, cancelled: 0, hungUp: 1, unsettled: 0 });
  expect(recovery.covers(read(text).get('Call-ID'))).toBe(true);
  expect(recovery.covers('another')).toBe(false);
  await moved.stop();
});

it('a peer that does not answer is waited for 4 s beside the start, and its call stays on record', async () => {
  const clock = new SkippableClock();
  const logger = new RecordingLogger();
  const text = peer.newRequest('INVITE', 'sip:100@127.0.0.1:5999');
  noted((record) => {
    record.arrived('one', parsed(text) as SipRequest, towards());
    record.answered('one', 'ours');
    record.acknowledged('one');
  });
  const server = await started({ clock, logger, timers: {} });
  const first = await peer.request('BYE');
  clock.skip(3_900);
  await peer.copyOf(first);
  expect(logger.lines).toEqual([]);
  clock.skip(100);
  await server.recovery.settled;
  const counts = { refused: 0, cancelled: 0, hungUp: 1, unsettled: 1 };
  expect(logger.lines.map(({ fields }) => fields)).toEqual([counts]);
  await servers.pop()?.stop();
  expect(replay(readFileSync(path, 'utf8')).calls.map(({ id }) => id)).toEqual(['one']);
  // Once it answers after all, the call is over for good.
  const { recovery } = await started();
  const bye = await peer.next((message) => message.method === 'BYE' && message.branch !== first.branch, 'new BYE');
  peer.reply(bye, 200, 'OK');
  await recovery.settled;
  expect(recovery.counts()).toEqual({ ...counts, unsettled: 0 });
  expect(server.recovery.counts()).toEqual(counts);
  await servers.pop()?.stop();
  expect(replay(readFileSync(path, 'utf8')).calls).toEqual([]);
});

it('an answer to an INVITE nobody knows of is ended when it bears our marks, and a few a second only', async () => {
  const clock = new SkippableClock();
  const server = await started({ clock });
  const at = { host: '127.0.0.1', port: server.sockets[0]!.port };
  const invite = ourInvite(at.port);
  const answer = (change: (text: string) => string): void =>
    peer.send(change(peer.responseText(invite, 200, 'OK', { toTag: 'theirs' })), at);
  answer((text) => text.replace('z9hG4bK0123', 'z9hG4bKother-'));
  answer((text) => text.replace(`:${at.port};rport`, `:${at.port + 1};rport`));
  answer((text) => text.replace('Via:', `Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nVia:`));
  answer((text) => text.replace('tag=0123456789abcdef', 'tag=forged'));
  answer((text) => text.replace('200 OK', '486 Busy Here'));
  // A Contact and a route that lead elsewhere: the answers come back here all the same.
  answer((text) => text.replace(/Contact: .*/, 'Contact: <sip:victim@192.0.2.7>\r\nRecord-Route: <sip:192.0.2.8;lr>'));
  const ack = await peer.request('ACK');
  expect(ack.get('CSeq')).toBe('77 ACK');
  const bye = await peer.request('BYE');
  expect(bye.uri).toBe('sip:victim@192.0.2.7');
  expect(bye.get('To')).toContain('tag=theirs');
  peer.reply(bye, 200, 'OK');
  expect(peer.count((message) => message.method === 'ACK')).toBe(1);
  clock.skip(1_000);
  for (let count = 0; count < 20; count++) answer((text) => text.replace('Call-ID: ', `Call-ID: ${count}`));
  // OPTIONS after them: its answer says that they have all been looked at.
  peer.send(peer.newRequest('OPTIONS', `sip:x@127.0.0.1:${at.port}`), at);
  await peer.response(503, 'OPTIONS');
  expect(peer.count((message) => message.method === 'ACK')).toBe(6);
});
