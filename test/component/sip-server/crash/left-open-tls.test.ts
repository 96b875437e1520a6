import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { silentLogger } from '../../../../src/lib/logger.js';
import { RecordFile } from '../../../../src/sip-server/recovery/record-file.js';
import type { SipMessage, SipRequest, SipResponse } from '../../../../src/sip-server/sip/message.js';
import { parseMessage } from '../../../../src/sip-server/sip/parse.js';
import type { EmbeddedSipServer } from '../../../../src/sip-server/start-embedded-sip-server.js';
import { startEmbeddedSipServer } from '../../../../src/sip-server/start-embedded-sip-server.js';
import type { Flow } from '../../../../src/sip-server/transport/flow.js';
import { SipScriptPeer } from '../../../support/sip-script-peer.js';
import { keyPair, tlsFile } from '../../../support/tls-fixtures.js';
import { FAST, read } from '../bench.js';
import { serverEntry } from '../tls-bench.js';

let dir: string;
let peer: SipScriptPeer;
let server: EmbeddedSipServer | undefined;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sip2wa-left-tls-'));
  // Its certificate has names only, its Contact and the record the address.
  peer = await SipScriptPeer.tls(keyPair('pbx'));
});
afterEach(async () => {
  await server?.stop();
  await peer.stop();
  rmSync(dir, { recursive: true, force: true });
});

const parsed = (text: string): SipMessage => parseMessage(Buffer.from(text))!.message;

/** Makes notes as a process does that then stops dead, and starts the next one. */
async function restartedAfter(write: (record: RecordFile, flow: Flow) => void): Promise<EmbeddedSipServer> {
  const recordFile = join(dir, 'open.rec');
  const { record } = RecordFile.open({ path: recordFile, logger: silentLogger });
  write(record, { protocol: 'tls', remote: { host: peer.host, port: peer.port } } as Flow);
  record.close();
  server = await startEmbeddedSipServer({
    listen: [{ transport: 'tls', host: '127.0.0.1', port: 0 }],
    timers: FAST,
    logger: silentLogger,
    recordFile,
    tls: {
      certFile: tlsFile('bridge.pem'),
      keyFile: tlsFile('bridge.key'),
      caFile: undefined,
      clientCertificates: 'none',
      servers: [serverEntry({ port: peer.port })],
    },
  });
  return server;
}

/** Answers the BYE that ends the call left open. */
async function ended(): Promise<void> {
  const bye = await peer.request('BYE');
  expect(bye.get('Via')).toContain('SIP/2.0/TLS');
  peer.reply(bye, 200, 'OK');
}

it('a call of the peer is ended over a new connection, whose certificate is that of the trunk’s server', async () => {
  const text = peer.newRequest('INVITE', 'sip:100@127.0.0.1:5999;transport=tls');
  const restarting = restartedAfter((record, flow) => {
    record.arrived('one', parsed(text) as SipRequest, flow);
    record.answered('one', 'ours');
    record.acknowledged('one');
  });
  await ended();
  const { recovery } = await restarting;
  await recovery.settled;
  expect(recovery.counts()).toEqual({ refused: 0, cancelled: 0, hungUp: 1, unsettled: 0 });
});

it('a call to the peer is acknowledged and ended over a new connection', async () => {
  const uri = `sip:bob@localhost:${peer.port};transport=tls`;
  const invite = read(
    peer
      .newRequest('INVITE', uri)
      .replace(/(Via: SIP\/2\.0\/TLS )[^;]+/, '$1127.0.0.1:5999')
      .replace(/Contact: .*\r\n/, ''),
  );
  const ok = peer.responseText(invite, 200, 'OK', { toTag: 'theirs' });
  const restarting = restartedAfter((record, flow) => {
    record.calling('one', parsed(invite.raw) as SipRequest, flow);
    record.heard('one', parsed(ok) as SipResponse, flow);
  });
  const ack = await peer.request('ACK');
  expect(ack.get('Via')).toContain('SIP/2.0/TLS');
  await ended();
  const { recovery } = await restarting;
  await recovery.settled;
  expect(recovery.counts()).toEqual({ refused: 0, cancelled: 0, hungUp: 1, unsettled: 0 });
});
