import { expect, it } from 'vitest';
import { createLogger } from '../../../src/observability/logger.js';
import { DrachtioServer, drachtioSecret } from '../../support/drachtio-server.js';
import { HepReceiver, type ReadHep } from '../../support/hep-reader.js';
import { Lines } from '../../support/lines.js';
import { ScriptedBridge } from '../../support/scripted-bridge.js';
import { WrtcPeer } from '../../support/wrtc-peer.js';

it('a drachtio-server sends SIP to Homer by itself, and the daemon the rest under the same Call-ID', async () => {
  const receiver = await HepReceiver.start();
  const server = await DrachtioServer.start({
    ...{ DRACHTIO_HOMER_ADDRESS: '127.0.0.1', DRACHTIO_HOMER_PORT: String(receiver.port), DRACHTIO_HOMER_ID: '2002' },
  });
  const logger = createLogger({ level: 'info', format: 'json', stream: new Lines() });
  const connect = `{ host: 127.0.0.1, port: ${server.adminPort}, secret: ${drachtioSecret} }`;
  const bridge = await ScriptedBridge.start({
    ...{ logger, lines: logger, sip: `sip: { server: drachtio, drachtio: ${connect} }` },
    more: `hep: { address: "127.0.0.1:${receiver.port}" }`,
  });
  const phone = new WrtcPeer();
  try {
    await bridge.deliver(bridge.userConnect('wacid.hep', await phone.offer()));
    bridge.pbx.reply(await bridge.pbx.request('INVITE'), 486, 'Busy Here', { toTag: 'b' });
    const { sipCallIdB, call } = await bridge.record();
    const [record] = await receiver.have(1, ({ type }) => type === 101, 'records');
    expect(record).toMatchObject({ correlationId: sipCallIdB, captureId: 2001 });
    const isSip = ({ type }: ReadHep): boolean => type === 1;
    const acks = await receiver.have(1, (packet) => isSip(packet) && packet.payload.startsWith('ACK '), 'ACKs');
    expect(acks[0]?.payload).toContain(`Call-ID: ${sipCallIdB}`);
    expect(new Set(receiver.packets.filter(isSip).map(({ captureId }) => captureId))).toEqual(new Set([2002]));
    const lines = receiver.packets.filter(({ type }) => type === 100);
    expect(lines.length).toBeGreaterThan(3);
    for (const { payload, correlationId } of lines) {
      expect(correlationId).toBe(sipCallIdB);
      expect(payload).toContain(`"call":"${call}"`);
    }
  } finally {
    phone.close();
    await bridge.stop();
    await server.stop();
    receiver.close();
  }
});
