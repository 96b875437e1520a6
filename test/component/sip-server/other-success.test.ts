import { afterEach, beforeEach, expect, it } from 'vitest';
import { PEER_SDP } from '../../support/sip-script-peer.js';
import { Bench } from './bench.js';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.start();
});
afterEach(() => bench.stop());

it.each([
  [202, 'Accepted'],
  [204, 'No Notification'],
  [299, 'Nobody Knows'],
])('an INVITE that is answered with %i is a call like any other, and leaves no ghost', async (status, reason) => {
  const calling = bench.srf.createUAC(bench.peerUri, { localSdp: PEER_SDP });
  const invite = await bench.peer.request('INVITE');
  bench.peer.reply(invite, status, reason, { toTag: 'peer1', body: PEER_SDP });
  const dialog = await calling;
  await bench.peer.request('ACK');
  const bye = await bench.appHangsUp(dialog);
  expect(bye.get('Call-ID')).toBe(invite.get('Call-ID'));
  await bench.quiet();
});
