import { afterEach, beforeEach, it } from 'vitest';
import { eventually, settled } from '../../support/eventually.js';
import { PEER_SDP } from '../../support/sip-script-peer.js';
import { Bench, read } from './bench.js';
import type { SrfDialog } from './srf-app.js';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.start({ peer: 'tcp' });
});
afterEach(() => bench.stop());

it('a BYE of the application that has no way to go ends its dialog all the same', async () => {
  const dialogs: SrfDialog[] = [];
  bench.answerCalls((dialog) => dialogs.push(dialog));
  await bench.routed();
  const line = await bench.peer.dial(bench.sip);
  // Reached by the connection alone: of this transport there is no listener.
  const text = bench.peer
    .newRequest('INVITE', bench.uri(), { body: PEER_SDP })
    .replace(/transport=tcp/g, 'transport=ws');
  bench.peer.send(text, line);
  const ok = await bench.peer.response(200, 'INVITE');
  bench.peer.send(bench.peer.inDialog('ACK', read(text), ok, { cseq: 1 }), line);
  await eventually(() => dialogs.length === 1, 'dialog');
  line.destroy();
  await eventually(() => line.destroyed, 'connection gone');
  await settled();
  await dialogs[0]!.destroy().catch(() => undefined);
  await eventually(() => bench.server.counts().dialogs === 0, 'dialog forgotten');
});
