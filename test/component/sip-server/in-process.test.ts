import net, { type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/lib/clock.js';
import { inProcessConnection } from '../../../src/sip-server/wire/in-process-connection.js';
import type { AppConnection } from '../../../src/sip-server/wire/app-connection.js';
import { encodeFrame, FrameDecoder, type Frame } from '../../../src/sip-server/wire/frame-codec.js';
import { SipServerLink, type SipServerAddress } from '../../../src/sip/sip-server-link.js';
import { deferred } from '../../../src/lib/deferred.js';
import { eventually } from '../../support/eventually.js';
import { Bench } from './bench.js';

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Both ends, and all that was heard at each. */
class Ends {
  readonly app: Socket;
  readonly server: AppConnection;
  readonly heardByApp: string[] = [];
  readonly heardByServer: string[] = [];
  onAppHears: (text: string) => void = () => undefined;
  onServerHears: (text: string) => void = () => undefined;

  constructor() {
    const { app, open } = inProcessConnection();
    this.app = app;
    this.server = open({
      onData: (chunk) => {
        this.heardByServer.push(chunk.toString());
        this.onServerHears(chunk.toString());
      },
      onError: (error) => void this.heardByServer.push(error.message),
      onClose: () => void this.heardByServer.push('closed'),
    });
    app.on('connect', () => this.heardByApp.push('connected'));
    app.on('close', () => this.heardByApp.push('closed'));
    app.on('data', (chunk: Buffer) => {
      this.heardByApp.push(chunk.toString());
      this.onAppHears(chunk.toString());
    });
  }
}

describe('a connection within the process', () => {
  it('carries what each end sends, in order, and never calls back the one that is sending', async () => {
    const ends = new Ends();
    ends.onAppHears = (text) => ends.app.write(`echo ${text}`);
    ends.server.send(Buffer.from('a'));
    ends.server.send(Buffer.from('b'));
    ends.app.write('ü1');
    expect([ends.heardByApp, ends.heardByServer]).toEqual([[], []]);
    expect(ends.server.backlogBytes).toBe(2);
    await nextTurn();
    await nextTurn();
    expect(ends.heardByApp).toEqual(['connected', 'a', 'b']);
    expect(ends.heardByServer).toEqual(['ü1', 'echo a', 'echo b']);
    expect(ends.server.backlogBytes).toBe(0);
  });

  it('brings the server what the application says before the next turn of the event loop, and the word on it in that', async () => {
    const ends = new Ends();
    await nextTurn();
    const turns: string[] = [];
    setImmediate(() => turns.push('a turn'));
    ends.onServerHears = (text) => {
      turns.push(text);
      ends.server.send(Buffer.from(`word on ${text}`));
    };
    ends.onAppHears = (text) => turns.push(text);
    ends.app.write('x');
    expect(turns).toEqual([]);
    await eventually(() => turns.length === 3, 'the word on it');
    expect(turns).toEqual(['x', 'a turn', 'word on x']);
  });

  it('tells the one who writes that it has arrived', async () => {
    const ends = new Ends();
    const arrived = deferred<undefined>();
    ends.app.write('x', () => arrived.resolve(undefined));
    await arrived.promise;
    expect(ends.heardByServer).toEqual(['x']);
  });

  it('delivers what was sent before an end, and then nothing', async () => {
    const ends = new Ends();
    ends.server.send(Buffer.from('last word'));
    ends.server.end();
    await eventually(() => ends.heardByServer.includes('closed'), 'the end');
    ends.server.send(Buffer.from('too late'));
    ends.app.write('too late');
    await nextTurn();
    expect(ends.heardByApp).toEqual(['connected', 'last word', 'closed']);
    expect(ends.heardByServer).toEqual(['closed']);
    expect([ends.server.open, ends.app.destroyed]).toEqual([false, true]);
  });

  it.each(['app', 'server'] as const)('closed by the %s is closed for both, once', async (who) => {
    const ends = new Ends();
    ends.server.send(Buffer.from('lost'));
    if (who === 'app') ends.app.destroy();
    else ends.server.close();
    await eventually(() => ends.heardByServer.includes('closed'), 'the end');
    await nextTurn();
    expect([ends.heardByApp, ends.heardByServer]).toEqual([['closed'], ['closed']]);
  });

  it('loses nothing to a listener that throws', async () => {
    const ends = new Ends();
    const thrown = deferred<unknown>();
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.once('uncaughtException', (error) => thrown.resolve(error));
    try {
      ends.onAppHears = (text) => {
        if (text === 'bad') throw new Error('boom');
      };
      for (const text of ['good', 'bad', 'after']) ends.server.send(Buffer.from(text));
      expect(await thrown.promise).toMatchObject({ message: 'boom' });
      await eventually(() => ends.heardByApp.includes('after'), 'what came after it');
      expect(ends.heardByApp).toEqual(['connected', 'good', 'bad', 'after']);
    } finally {
      for (const listener of others) process.on('uncaughtException', listener);
    }
  });
});

describe('drachtio-srf on a connection within the process', () => {
  let bench: Bench;
  beforeEach(async () => {
    bench = await Bench.start();
  });
  afterEach(() => bench.stop());

  const linkTo = (
    given: Partial<SipServerAddress> = {},
    onLost = (): void => undefined,
    onBack = (): void => undefined,
  ): SipServerLink => {
    const { host, port, secret, connectInProcess } = bench.server;
    const connect = { host, port, secret, connectInProcess, ...given };
    const options = { connect, clock: systemClock, logger: bench.log, connectMs: 2_000, closeMs: 500 };
    return new SipServerLink(options, onLost, onBack);
  };

  it('uses no socket, and leaves net.connect as it was', async () => {
    const before = net.connect;
    const made = linkTo();
    const connecting = made.connect();
    expect(net.connect).toBe(before);
    await connecting;
    expect(made.ready).toBe(true);
    await made.close();
    expect(made.ready).toBe(false);
  });

  it('has to give the secret all the same', async () => {
    await expect(linkTo({ secret: 'wrong' }).connect()).rejects.toMatchObject({ code: 'SIP2WA_SIP_SERVER_SECRET' });
  });

  it('obeys nothing before the secret', async () => {
    const app = bench.server.connectInProcess();
    const decoder = new FrameDecoder();
    const frames: Frame[] = [];
    app.on('data', (chunk: Buffer) => frames.push(...decoder.push(chunk)));
    const closed = new Promise<void>((resolve) => app.once('close', () => resolve()));
    app.write(encodeFrame(['m1', 'route', 'invite']));
    await closed;
    expect(frames.map(({ tokens }) => tokens.slice(1))).toEqual([['response', 'm1', 'NO', 'not authenticated']]);
  });

  it('is followed by one over TCP when it is lost', async () => {
    const ups: string[] = [];
    const opened: Socket[] = [];
    const connectInProcess = (): Socket => {
      const socket = bench.server.connectInProcess();
      opened.push(socket);
      return socket;
    };
    const made = linkTo(
      { connectInProcess },
      () => ups.push('lost'),
      () => ups.push('back'),
    );
    await made.connect();
    opened[0]?.destroy();
    await eventually(() => ups.includes('back'), 'another connection');
    expect([ups, opened.length, made.ready]).toEqual([['lost', 'back'], 1, true]);
    await made.close();
  });
});
