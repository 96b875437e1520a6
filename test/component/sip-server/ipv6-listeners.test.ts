import { afterEach, expect, it } from 'vitest';
import { startEmbeddedSipServer, type EmbeddedSipServer } from '../../../src/sip-server/start-embedded-sip-server.js';
import { freePort } from '../../support/ports.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { SipScriptPeer } from '../../support/sip-script-peer.js';

let server: EmbeddedSipServer;
const peers: SipScriptPeer[] = [];
afterEach(async () => {
  await Promise.all(peers.splice(0).map((peer) => peer.stop()));
  await server.stop();
});

it.each(['udp', 'tcp'] as const)(
  'one %s port serves both families, each by a listener of its own',
  async (transport) => {
    const start = (port: number): Promise<EmbeddedSipServer> =>
      startEmbeddedSipServer({
        listen: [
          { transport, host: '0.0.0.0', port },
          { transport, host: '::', port },
        ],
        logger: new RecordingLogger(),
      });
    const port = await freePort();
    server = await start(port);
    for (const host of ['127.0.0.1', '::1']) {
      const peer = await SipScriptPeer[transport](host);
      peers.push(peer);
      const to = { host, port };
      const text = peer.newRequest('BYE', `sip:${host === '::1' ? '[::1]' : host}:${port}`);
      peer.send(text, transport === 'tcp' ? await peer.dial(to) : to);
      const refused = await peer.response(481, 'BYE');
      // No ::ffff: form of an IPv4 address.
      expect(refused.get('Via')).not.toContain('ffff');
    }
  },
);
