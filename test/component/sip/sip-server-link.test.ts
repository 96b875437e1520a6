import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/lib/clock.js';
import { systemIds } from '../../../src/lib/ids.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { MemoryJournal } from '../../../src/journal/memory-journal.js';
import { startEmbeddedSipServer } from '../../../src/sip-server/start-embedded-sip-server.js';
import { SipServerLink, type SipServerAddress } from '../../../src/sip/sip-server-link.js';
import { SipUserAgent, type SipUserAgentOptions } from '../../../src/sip/sip-user-agent.js';
import { eventually } from '../../support/eventually.js';
import { FakeMediaEngine } from '../../support/fake-media-engine.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { SipScriptPeer } from '../../support/sip-script-peer.js';
import { SipScene, sceneTrunk } from '../../support/sip-scene.js';
import { LegLog } from '../../support/leg-log.js';
import { endReason } from '../../../src/call/end-reason.js';
import type { InboundCall } from '../../../src/sip/inbound-call.js';

const agentFor = (connect: SipServerAddress, overrides: Partial<SipUserAgentOptions> = {}): SipUserAgent =>
  new SipUserAgent({
    connect,
    trunks: [],
    media: new FakeMediaEngine(),
    journal: new MemoryJournal(),
    observer: { step: () => undefined },
    logger: silentLogger,
    clock: systemClock,
    ids: systemIds,
    timeouts: { connectMs: 300 },
    ...overrides,
  });

/** A listener that lets connections in and, if told so, says yes to the secret and nothing to all the rest. */
class BareServer {
  readonly sockets: Socket[] = [];
  /** What came in so far. */
  heard = '';

  private constructor(
    readonly server: Server,
    readonly port: number,
    isWelcoming: boolean,
  ) {
    server.on('connection', (socket) => {
      this.sockets.push(socket);
      socket.on('error', () => socket.destroy());
      socket.on('data', (chunk: Buffer) => {
        this.heard += chunk.toString();
        const id = /#([0-9a-f-]{36})\|authenticate/.exec(chunk.toString())?.[1];
        if (id !== undefined && isWelcoming)
          this.say(`response|${id}|OK|udp/127.0.0.1:5060|v0.9.10|udp/127.0.0.1:5060`);
      });
    });
  }

  static async start(options: { port?: number; isWelcoming?: boolean } = {}): Promise<BareServer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
    return new BareServer(server, (server.address() as AddressInfo).port, options.isWelcoming ?? false);
  }

  /** Sends a frame to the newest connection. */
  say(text: string): void {
    const payload = `11111111-1111-4111-8111-111111111111|${text}`;
    this.sockets.at(-1)?.write(`${Buffer.byteLength(payload)}#${payload}`);
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
    const agent = agentFor({ host: '127.0.0.1', port: bare.port, secret: 'x' });
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
    const agent = agentFor({ host: '127.0.0.1', port: bare.port, secret: 'x' });
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

  it('carries no frame of 4,000 bytes or more, whoever makes it, and goes on with those below', async () => {
    const bare = await BareServer.start({ isWelcoming: true });
    cleanUp.push(() => bare.stop());
    const logger = new RecordingLogger();
    const options = { clock: systemClock, logger, connectMs: 2000, closeMs: 200 };
    const link = new SipServerLink(
      { ...options, connect: { host: '127.0.0.1', port: bare.port, secret: 's' } },
      () => undefined,
    );
    await link.connect();
    const before = bare.heard.length;
    const ask = (bytes: number): void =>
      link.srf.request(
        'sip:1@127.0.0.1',
        { method: 'MESSAGE', headers: { 'X-Long': 'é'.repeat(bytes / 2) } },
        () => undefined,
      );
    expect(() => ask(4_000)).toThrow(
      expect.objectContaining({
        code: 'SIP2WA_SIP_FRAME_TOO_LARGE',
        message: expect.stringMatching(/^a frame of 4\d\d\d bytes, 4008 of them X-Long$/) as unknown,
      }),
    );
    // All but the header is some 100 bytes.
    expect(() => ask(3_980)).toThrow();
    ask(3_600);
    await eventually(() => bare.heard.length > before + 1_800, 'the frame that is small enough');
    expect(bare.heard.slice(before).match(/MESSAGE sip:/g)).toHaveLength(1);
    expect(logger.lines.filter(({ level }) => level === 'error').map(({ fields }) => fields?.['what'])).toEqual([
      ...['MESSAGE sip:1@127.0.0.1 SIP/2.0', 'MESSAGE sip:1@127.0.0.1 SIP/2.0'],
    ]);
    const closing = link.close();
    bare.sockets.forEach((socket) => socket.end());
    await closing;
  });

  it('is made again within seconds after a loss, and told about once', async () => {
    const first = await BareServer.start({ isWelcoming: true });
    let lost = 0;
    const options = { clock: systemClock, logger: silentLogger, connectMs: 2000, closeMs: 200 };
    const connect = { host: '127.0.0.1', port: first.port, secret: 's' };
    const link = new SipServerLink({ ...options, connect }, () => lost++);
    await link.connect();
    expect(link.ready).toBe(true);
    await first.stop();
    await eventually(() => !link.ready, 'loss noticed');
    const second = await BareServer.start({ port: first.port, isWelcoming: true });
    cleanUp.push(() => second.stop());
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

  describe('that is up while nothing is done any more', () => {
    const timeouts = { connectMs: 500, probeMs: 50, silenceMs: 150, responseMs: 150, ackMs: 150, closeMs: 100 };
    const from = (method: string, transaction: string): string =>
      [
        `sip|network|500|udp|127.0.0.1|5060|07:12:34.439708|${transaction}||127.0.0.1|5070|`,
        `${method} sip:+4915112345678@127.0.0.1:5070 SIP/2.0`,
        `Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK${transaction}`,
        'From: <sip:100@127.0.0.1>;tag=a',
        'To: <sip:+4915112345678@127.0.0.1>',
        'Call-ID: c1',
        `CSeq: 1 ${method}`,
        'Contact: <sip:100@127.0.0.1:5060>',
        'Content-Length: 0',
        '',
        '',
      ].join('\r\n');

    const wedged = async () => {
      const server = await BareServer.start({ isWelcoming: true });
      const media = new FakeMediaEngine();
      const agent = agentFor(
        { host: '127.0.0.1', port: server.port, secret: 's' },
        { timeouts, media, trunks: [sceneTrunk] },
      );
      cleanUp.push(
        () => agent.close(),
        () => server.stop(),
      );
      await agent.connect();
      const calls: InboundCall[] = [];
      agent.onInboundCall((call) => calls.push(call));
      return { server, agent, media, calls };
    };

    it('ends a call to the PBX in time', async () => {
      const { server, agent, media } = await wedged();
      const target = {
        trunk: sceneTrunk,
        server: {
          hostname: '127.0.0.1',
          port: 5062,
          transport: 'udp',
          priority: 1,
          weight: 1,
          requestUriUserParams: {},
        },
        user: '600',
      } as const;
      const whatsApp = { numberId: '1', callId: 'w', direction: 'user_initiated' } as const;
      const caller = { user: '+4915112345678', name: undefined };
      const leg = agent.createOutboundLeg({ call: systemIds.callId(), target, caller, whatsApp });
      const log = new LegLog(leg);
      leg.dial();
      expect(await log.saw('failed')).toMatchObject({ reason: { code: 'trunk_down' }, retry: true });
      await log.saw('terminated');
      expect(server.heard).toContain('INVITE sip:600@127.0.0.1:5062 SIP/2.0');
      expect([agent.legs, media.open]).toEqual([0, 0]);
    });

    it.each(['answer', 'reject'] as const)('ends a call from the PBX in time after %s', async (command) => {
      const { server, agent, media, calls } = await wedged();
      server.say(from('INVITE', 'txn1'));
      await eventually(() => calls.length === 1, 'call');
      const leg = calls[0]!.leg;
      const log = new LegLog(leg);
      if (command === 'answer') leg.answer();
      else leg.reject(endReason('busy'));
      await log.saw('terminated');
      expect(log.types).toEqual(command === 'answer' ? ['failed', 'terminated'] : ['terminated']);
      expect([agent.legs, media.open]).toEqual([0, 0]);
    });

    it('refuses the second branch of a forked INVITE, and still hears the CANCEL of the first', async () => {
      const { server, calls } = await wedged();
      server.say(from('INVITE', 'txn1'));
      await eventually(() => calls.length === 1, 'call');
      const log = new LegLog(calls[0]!.leg);
      server.say(from('INVITE', 'txn2'));
      await eventually(() => /sip\|txn2\|\r\nSIP\/2\.0 482 /.test(server.heard), '482');
      server.say(from('CANCEL', 'txn1'));
      await log.saw('cancelled');
      await log.saw('terminated');
      expect(calls).toHaveLength(1);
      expect(log.types).toEqual(['cancelled', 'terminated']);
    });
  });
});
