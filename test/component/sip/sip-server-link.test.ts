import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/lib/clock.js';
import { systemIds } from '../../../src/lib/ids.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { MemoryJournal } from '../../../src/journal/memory-journal.js';
import { startEmbeddedSipServer } from '../../../src/sip-server/start-embedded-sip-server.js';
import { SipServerLink } from '../../../src/sip/sip-server-link.js';
import { SipUserAgent } from '../../../src/sip/sip-user-agent.js';
import { eventually } from '../../support/eventually.js';
import { FakeMediaEngine } from '../../support/fake-media-engine.js';
import { SipScriptPeer } from '../../support/sip-script-peer.js';
import { SipScene } from '../../support/sip-scene.js';

const agentFor = (connect: { host: string; port: number; secret: string }, connectMs = 500): SipUserAgent =>
  new SipUserAgent({
    connect,
    trunks: [],
    media: new FakeMediaEngine(),
    journal: new MemoryJournal(),
    observer: { step: () => undefined },
    logger: silentLogger,
    clock: systemClock,
    ids: systemIds,
    timeouts: { connectMs },
  });

/** A listener that lets connections in and says what a test makes it say. */
class BareServer {
  readonly sockets: Socket[] = [];
  private constructor(
    readonly server: Server,
    readonly port: number,
  ) {
    server.on('connection', (socket) => {
      socket.on('error', () => socket.destroy());
      this.sockets.push(socket);
    });
  }
  static async start(port = 0): Promise<BareServer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return new BareServer(server, (server.address() as AddressInfo).port);
  }
  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

describe('the connection to the SIP server', () => {
  let cleanUp: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const step of cleanUp) await step();
    cleanUp = [];
  });

  it('that is not there is told by its address, in time', async () => {
    const bare = await BareServer.start();
    await bare.stop();
    const agent = agentFor({ host: '127.0.0.1', port: bare.port, secret: 'x' }, 300);
    await expect(agent.connect()).rejects.toMatchObject({
      code: 'SIP2WA_SIP_SERVER_UNREACHABLE',
      message: `no SIP server at 127.0.0.1:${bare.port}`,
    });
    expect(agent.ready).toBe(false);
    await agent.close();
  });

  it('that never answers is given up in time', async () => {
    const bare = await BareServer.start();
    cleanUp.push(() => bare.stop());
    const agent = agentFor({ host: '127.0.0.1', port: bare.port, secret: 'x' }, 200);
    await expect(agent.connect()).rejects.toMatchObject({ code: 'SIP2WA_SIP_SERVER_UNREACHABLE' });
    await agent.close();
  });

  it('with a wrong secret is refused and says so without the secret', async () => {
    const server = await startEmbeddedSipServer({
      listen: [{ transport: 'udp', host: '127.0.0.1', port: 0 }],
      logger: silentLogger,
    });
    cleanUp.push(() => server.stop());
    const agent = agentFor({ host: server.host, port: server.port, secret: 'wrong-secret' });
    const error: unknown = await agent.connect().catch((err: unknown) => err);
    expect(error).toMatchObject({ code: 'SIP2WA_SIP_SERVER_SECRET' });
    expect(String(error)).not.toContain('wrong-secret');
    await agent.close();
  });

  it('is made again within seconds after a loss, and told about once', async () => {
    const first = await BareServer.start();
    let lost = 0;
    const options = { clock: systemClock, logger: silentLogger, connectMs: 2000, closeMs: 200 };
    const connect = { host: '127.0.0.1', port: first.port, secret: 's' };
    const link = new SipServerLink({ ...options, connect }, () => lost++);
    const welcome = (socket: Socket): void => {
      socket.on('data', (chunk: Buffer) => {
        for (const [, id] of chunk.toString().matchAll(/(\b[0-9a-f-]{36})\|authenticate/g)) {
          const text = `11111111-1111-1111-1111-111111111111|response|${id}|OK|udp/127.0.0.1:5060|v0.9.10|udp/127.0.0.1:5060`;
          socket.write(`${text.length}#${text}`);
        }
      });
    };
    first.server.on('connection', welcome);
    await link.connect();
    expect(link.ready).toBe(true);
    await first.stop();
    await eventually(() => !link.ready, 'loss noticed');
    const second = await BareServer.start(first.port);
    cleanUp.push(() => second.stop());
    second.server.on('connection', welcome);
    await eventually(() => link.ready, 'connected again', 4000);
    expect(lost).toBe(1);
    const closing = link.close();
    second.sockets.forEach((socket) => socket.end());
    await closing;
    expect(link.ready).toBe(false);
  });

  it('that is lost ends every leg at once', async () => {
    const scene = await SipScene.start();
    const pbx = await SipScriptPeer.udp();
    cleanUp.push(() => pbx.stop());
    const ringing = scene.outbound(scene.target(pbx));
    ringing.leg.dial();
    const invite = await pbx.request('INVITE');
    pbx.reply(invite, 180, 'Ringing', { toTag: 'x' });
    await ringing.log.saw('progress');
    await scene.server.stop();
    expect(await ringing.log.saw('failed')).toMatchObject({ reason: { code: 'trunk_down' }, retry: true });
    await ringing.log.saw('terminated');
    expect(scene.agent.ready).toBe(false);

    const after = scene.outbound(scene.target(pbx));
    after.leg.dial();
    expect(await after.log.saw('failed')).toMatchObject({ reason: { code: 'trunk_down' }, retry: true });
    await after.log.saw('terminated');
    expect(scene.agent.legs).toBe(0);
    expect(scene.media.open).toBe(0);
    await scene.agent.close();
  });
});
