import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import type { Frame } from '../../../src/sip-server/wire/frame-codec.js';
import { encodeFrame, FrameDecoder } from '../../../src/sip-server/wire/frame-codec.js';
import { overSocket } from '../../../src/sip-server/wire/app-connection.js';
import { ClientSession } from '../../../src/sip-server/wire/client-session.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { eventually } from '../../support/eventually.js';
import { PEER_SDP } from '../../support/sip-script-peer.js';
import { hopByHop } from '../../support/hop-by-hop.js';
import { Bench, LIFE_MS } from './bench.js';

/** An application that speaks the protocol by hand, so that token positions are seen as they are on the wire. */
class RawApp {
  readonly frames: Frame[] = [];
  closed = false;
  #sent = 0;

  private constructor(private readonly socket: Socket) {
    const decoder = new FrameDecoder();
    socket.on('data', (chunk: Buffer) => this.frames.push(...decoder.push(chunk)));
    socket.on('close', () => (this.closed = true));
  }

  static async open(port: number): Promise<RawApp> {
    const socket = connect(port, '127.0.0.1');
    await new Promise<void>((resolve) => socket.once('connect', resolve));
    return new RawApp(socket);
  }

  /** Sends a command, waits for its answer. */
  async ask(tokens: readonly string[], sip?: string): Promise<Frame> {
    const id = `m${++this.#sent}`;
    this.socket.write(encodeFrame([id, ...tokens], sip === undefined ? undefined : Buffer.from(sip)));
    return this.next((frame) => frame.tokens[1] === 'response' && frame.tokens[2] === id, `answer to ${tokens[0]}`);
  }

  async next(matches: (frame: Frame) => boolean, what: string): Promise<Frame> {
    await eventually(() => this.frames.some(matches), what);
    return this.frames.splice(this.frames.findIndex(matches), 1)[0]!;
  }

  event(start: string): Promise<Frame> {
    return this.next((frame) => frame.tokens[1] === 'sip' && frame.sip!.toString().startsWith(start), start);
  }

  write(bytes: string): void {
    this.socket.write(bytes);
  }

  end(): void {
    this.socket.destroy();
  }
}

/** Ids, ports, times and lengths out of the way, so that what is left can be compared. */
function masked(frame: Frame, port: number): string {
  return frame.tokens
    .map((token) => {
      if (/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(token)) return 'UUID';
      if (/^\d\d:\d\d:\d\d\.\d{6}$/.test(token)) return 'TIME';
      if (token === String(port)) return 'PEERPORT';
      return /^\d{3,4}$/.test(token) ? 'BYTES' : token;
    })
    .join('|');
}

it('a frame that fails is answered, and the connection stays', async () => {
  const log = new RecordingLogger();
  const listener = createServer((socket) => {
    new ClientSession(overSocket(socket), {
      secret: 's',
      version: 'v1.0.0',
      clock: new FakeClock(),
      logger: log,
      uuid: () => 'id',
      hostPorts: () => ({ advertised: '', local: '' }),
      onSip: () => {
        throw new Error('boom');
      },
      onClosed: () => undefined,
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const one = await RawApp.open((listener.address() as AddressInfo).port);
  await one.ask(['authenticate', 's', '']);
  expect((await one.ask(['sip', '', ''], 'x')).tokens.slice(3)).toEqual(['NOK', 'Server error']);
  expect((await one.ask(['ping'])).tokens.slice(3)).toEqual(['OK', 'pong']);
  expect(log.lines.map((line) => line.message)).toEqual(['sip application frame failed']);
  one.end();
  await new Promise<void>((resolve) => listener.close(() => resolve()));
});

let bench: Bench;
let app: RawApp;
beforeEach(async () => {
  bench = await Bench.start();
  app = await RawApp.open(bench.server.port);
});
afterEach(async () => {
  app.end();
  await bench.stop();
});

describe('the session', () => {
  it('begins with the secret, and tells hosts and version as a drachtio-server does', async () => {
    const frame = await app.ask(['authenticate', bench.server.secret, '']);
    const hostPorts = `tcp/127.0.0.1:${bench.sip.port},udp/127.0.0.1:${bench.sip.port}`;
    expect(masked(frame, 0)).toBe(`UUID|response|m1|OK|${hostPorts}|v0.9.10-embedded|${hostPorts}`);
    expect((await app.ask(['route', 'invite'])).tokens.slice(1)).toEqual(['response', 'm2', 'OK']);
    expect((await app.ask(['ping'])).tokens.slice(1)).toEqual(['response', 'm3', 'OK', 'pong']);
    expect((await app.ask(['remove_route', 'invite'])).tokens[3]).toBe('OK');
    bench.send('INVITE');
    await bench.peer.response(503, 'INVITE');
  });

  it('ends on a wrong secret', async () => {
    const frame = await app.ask(['authenticate', 'cymru', '']);
    expect(frame.tokens.slice(1)).toEqual(['response', 'm1', 'NO', 'incorrect secret']);
    await eventually(() => app.closed, 'closed');
  });

  it('obeys nothing before the secret', async () => {
    expect((await app.ask(['route', 'invite'])).tokens[3]).toBe('NO');
    await eventually(() => app.closed, 'closed');
    bench.send('INVITE');
    await bench.peer.response(503, 'INVITE');
  });

  it('is closed when the secret does not come, whatever else does', async () => {
    const mute = await RawApp.open(bench.server.port);
    await app.ask(['authenticate', bench.server.secret, '']);
    bench.clock.skip(5000);
    await eventually(() => mute.closed, 'closed');
    expect((await app.ask(['ping'])).tokens[4]).toBe('pong');
  });

  it.each(['no length here', '0#', '99999999#', '1048577#', 'GET / HTTP/1.1\r\n', '8#a\nb|ping', '8#a\rb|ping'])(
    'is closed on %j',
    async (junk) => {
      app.write(junk);
      await eventually(() => app.closed, 'closed');
    },
  );

  it('takes large frames with a warning, and refuses proxying and unknown commands', async () => {
    await app.ask(['authenticate', bench.server.secret, '']);
    const large = `MESSAGE ${bench.peerUri} SIP/2.0\r\nContent-Type: text/plain\r\n\r\n${'ä'.repeat(9000)}`;
    expect((await app.ask(['sip', '', ''], large)).tokens[3]).toBe('OK');
    const message = await bench.peer.request('MESSAGE');
    expect(message.body).toBe('ä'.repeat(9000));
    expect(message.get('Content-Length')).toBe('18000');
    expect(bench.log.lines.some((line) => line.level === 'warn' && line.message.includes('frame too large'))).toBe(
      true,
    );
    expect((await app.ask(['proxy', 'x'])).tokens.slice(3)).toEqual(['NOK', 'not supported']);
    expect((await app.ask(['dance'])).tokens.slice(3)).toEqual(['NOK', 'unknown command']);
    expect((await app.ask(['sip', '', ''], 'nonsense')).tokens[3]).toBe('NOK');
  });
});

describe('frames of a call', () => {
  beforeEach(async () => {
    await app.ask(['authenticate', bench.server.secret, '']);
    await app.ask(['route', 'invite']);
  });

  it('from the network, token by token', async () => {
    const invite = bench.send('INVITE', { body: PEER_SDP });
    const event = await app.event('INVITE ');
    const bytes = String(Buffer.byteLength(invite.raw));
    expect(event.tokens[3]).toBe(bytes);
    expect(masked(event, bench.peer.port)).toBe(
      `UUID|sip|network|BYTES|udp|127.0.0.1|PEERPORT|TIME|UUID||127.0.0.1|${bench.sip.port}|`,
    );
    expect(event.sip!.toString()).toBe(
      invite.raw.replace(invite.get('Via'), `${invite.get('Via')};rport=${bench.peer.port}`),
    );
    const txn = event.tokens[8]!;
    const id = `${invite.get('Call-ID')};from-tag=${invite.tag('From')}`;

    const ringing = await app.ask(['sip', txn, ''], 'SIP/2.0 180 Ringing\r\ncseq: 1 INVITE\r\n\r\n');
    expect(masked(ringing, bench.peer.port)).toBe(
      `UUID|response|m3|OK|application|BYTES|udp|127.0.0.1|PEERPORT|TIME|UUID|${id}||Msg sent:|`,
    );
    expect(ringing.tokens[10]).toBe(txn);
    expect(ringing.tokens[12]).not.toBe('continue');

    const answer = `SIP/2.0 200 OK\r\nto: <sip:x@y>;tag=chosen\r\nContent-Length: 3\r\nx-app: lab\r\nX-lower: kept\r\nbad name: dropped\r\n\r\n${PEER_SDP}`;
    const sent = await app.ask(['sip', txn, ''], answer);
    const onWire = await bench.peer.response(200, 'INVITE');
    expect(sent.sip!.toString()).toBe(onWire.raw);
    expect(onWire.tag('To')).toBe((await bench.peer.response(180, 'INVITE')).tag('To'));
    expect(onWire.headers.map(([name]) => name)).toEqual([
      'Via',
      'From',
      'To',
      'Call-ID',
      'CSeq',
      'Contact',
      'X-App',
      'X-lower',
      'Content-Type',
      'Content-Length',
    ]);
    expect(onWire.body).toBe(PEER_SDP);

    bench.peer.send(bench.peer.inDialog('ACK', invite, onWire, { cseq: 1 }), bench.sip);
    const ack = await app.event('ACK ');
    expect(masked(ack, bench.peer.port)).toBe(`UUID|sip|network|BYTES|udp|127.0.0.1|PEERPORT|TIME|UUID|${id}|`);
    expect(ack.tokens[8]).toBe(txn);

    const bye = await app.ask(
      ['sip', '', id],
      'BYE sip:placeholder SIP/2.0\r\nX-Bye: app\r\nContent-Length: 0\r\n\r\n',
    );
    expect(masked(bye, bench.sip.port)).toBe(
      'UUID|response|m5|OK|application|BYTES|udp|127.0.0.1|PEERPORT|TIME|UUID|Msg sent:|',
    );
    const byeOnWire = await bench.peer.request('BYE');
    expect(bye.sip!.toString()).toBe(byeOnWire.raw);
    bench.peer.reply(byeOnWire, 200, 'OK');
    const done = await app.event('SIP/2.0 200');
    expect(masked(done, bench.peer.port)).toBe(`UUID|sip|network|BYTES|udp|127.0.0.1|PEERPORT|TIME|UUID|${id}|`);
    expect(done.tokens[8]).toBe(bye.tokens[10]);
  });

  it('a re-INVITE’s ACK has a transaction of its own, and a quick CANCEL no dialog', async () => {
    const invite = bench.send('INVITE', { body: PEER_SDP });
    const { tokens } = await app.event('INVITE ');
    await app.ask(['sip', tokens[8]!, ''], `SIP/2.0 200 OK\r\n\r\n${PEER_SDP}`);
    const ok = await bench.peer.response(200, 'INVITE');
    bench.peer.send(bench.peer.inDialog('ACK', invite, ok, { cseq: 1 }), bench.sip);
    await app.event('ACK ');
    bench.peer.send(bench.peer.inDialog('INVITE', invite, ok, { cseq: 2, body: PEER_SDP }), bench.sip);
    const again = await app.event('INVITE ');
    expect(again.tokens[9]).toBe(`${invite.get('Call-ID')};from-tag=${invite.tag('From')}`);
    expect(again.tokens.slice(10)).toEqual(['']);
    await app.ask(['sip', again.tokens[8]!, ''], `SIP/2.0 200 OK\r\n\r\n${PEER_SDP}`);
    const second = await bench.peer.next((m) => m.status === 200 && m.cseq === 2, '200 to the re-INVITE');
    bench.peer.send(bench.peer.inDialog('ACK', invite, second, { cseq: 2 }), bench.sip);
    const ack = await app.event('ACK ');
    expect(ack.tokens[8]).not.toBe(again.tokens[8]);

    const other = bench.send('INVITE', { body: PEER_SDP });
    const fresh = await app.event('INVITE ');
    bench.peer.send(hopByHop('CANCEL', other), bench.sip);
    const cancel = await app.event('CANCEL ');
    expect([cancel.tokens[8], cancel.tokens[9]]).toEqual([fresh.tokens[8], '']);
    const late = await app.ask(['sip', fresh.tokens[8]!, ''], 'SIP/2.0 180 Ringing\r\n\r\n');
    expect(late.tokens.slice(3)).toEqual(['NOK', 'Response not sent due to unknown transaction']);
    const toCancel = await app.ask(['sip', cancel.tokens[8]!, ''], 'SIP/2.0 200 OK\r\nCSeq: 1 CANCEL\r\n\r\n');
    expect(toCancel.tokens[4]).toBe('200 OK to incoming CANCEL is automatically generated by the stack');
  });

  it('of the app: OK before events, 100 not passed up, local answers without address, ACK to a refusal not its own', async () => {
    const request = `INVITE ${bench.peerUri} SIP/2.0\r\nFrom: sip:ann@localhost\r\n\r\n${PEER_SDP}`;
    const sent = await app.ask(['sip', '', ''], request);
    expect(masked(sent, bench.sip.port)).toBe(
      'UUID|response|m3|OK|application|BYTES|udp|127.0.0.1|PEERPORT|TIME|UUID|Msg sent:|',
    );
    const invite = await bench.peer.request('INVITE');
    const id = `${invite.get('Call-ID')};from-tag=${invite.tag('From')}`;
    bench.peer.reply(invite, 100, 'Trying');
    bench.peer.reply(invite, 486, 'Busy Here', { toTag: 'p' });
    const busy = await app.event('SIP/2.0 ');
    expect(masked(busy, bench.peer.port)).toBe(`UUID|sip|network|BYTES|udp|127.0.0.1|PEERPORT|TIME|UUID|${id}|`);
    expect(busy.sip!.toString()).toContain('486 Busy Here');
    expect(busy.tokens[8]).toBe(sent.tokens[10]);
    const ack = await app.ask(['sip', '', id], `ACK ${bench.peerUri} SIP/2.0\r\n\r\n`);
    expect(ack.tokens.slice(3)).toEqual([
      'NOK',
      'Server error: ACK for non-success final response is automatically generated by server',
    ]);

    const silent = await app.ask(['sip', '', ''], request.replace('INVITE', 'MESSAGE').replace('From', 'X-Any'));
    await bench.peer.request('MESSAGE');
    bench.clock.skip(LIFE_MS);
    const timeout = await app.event('SIP/2.0 408 Request Timeout');
    expect(masked(timeout, -1)).toBe('UUID|sip|network|BYTES|udp||0|TIME|UUID||');
    expect(timeout.tokens[8]).toBe(silent.tokens[10]);
  });

  it('never lets a tag of the app shift the tokens', async () => {
    const request = `INVITE ${bench.peerUri} SIP/2.0\r\nFrom: <sip:a@b>;tag="x|y"\r\n\r\n${PEER_SDP}`;
    expect((await app.ask(['sip', '', ''], request)).tokens.slice(3)).toEqual(['NOK', 'invalid from tag']);
    bench.send('INVITE', { body: PEER_SDP });
    const { tokens } = await app.event('INVITE ');
    const sent = await app.ask(['sip', tokens[8]!, ''], 'SIP/2.0 180 Ringing\r\nTo: <sip:a@b>;tag="x|y"\r\n\r\n');
    expect(sent.tokens).toHaveLength(15);
    expect((await bench.peer.response(180, 'INVITE')).tag('To')).toMatch(/^[0-9a-f]{16}$/);
  });

  it('refusals inside a dialog name the server', async () => {
    const frame = await app.ask(['sip', '', 'gone;from-tag=1'], 'BYE sip:placeholder SIP/2.0\r\n\r\n');
    expect(frame.tokens.slice(3)).toEqual(['NOK', 'Server error: unable to find dialog for dialog id provided']);
    const cancel = await app.ask(['sip', 'nothing', ''], 'CANCEL sip:x@y SIP/2.0\r\n\r\n');
    expect(cancel.tokens.slice(3)).toEqual(['NOK', 'unable to cancel unknown transaction id: nothing']);
    const reliable = bench.send('INVITE', { body: PEER_SDP });
    const { tokens } = await app.event('INVITE ');
    const text = 'SIP/2.0 183 Session Progress\r\nRequire: 100rel\r\n\r\n';
    expect((await app.ask(['sip', tokens[8]!, ''], text)).tokens[4]).toBe('Remote endpoint does not support 100rel');
    expect(reliable.method).toBe('INVITE');
  });
});
