import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually, settled } from '../../support/eventually.js';
import { runsOf } from '../../support/runs.js';
import { PEER_SDP, SipScriptPeer } from '../../support/sip-script-peer.js';
import { Bench, read } from './bench.js';

/** The trunk's; everything else is a stranger's. */
const LISTED = '127.0.0.1';
const STRANGER = '127.0.0.66';
const OTHER_STRANGER = '127.0.0.67';
const DROPPED = 'SIP from an unknown source dropped';

const stopping: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of stopping.splice(0).reverse()) await one.stop();
});

const listed = (address: string): boolean => address === LISTED;

async function start(options: Parameters<typeof Bench.start>[0] = {}): Promise<Bench> {
  const bench = await Bench.start({ isKnownSource: listed, ...options });
  stopping.push(bench);
  return bench;
}

async function peerAt(host: string): Promise<SipScriptPeer> {
  const peer = await SipScriptPeer.udp(host);
  stopping.push(peer);
  return peer;
}

/**
 * All that was sent before is judged once this is answered, for datagrams keep their order; and what a stranger was sent
 * for it, if anything, has then come: sockets are read in turn.
 */
async function handled(bench: Bench): Promise<void> {
  bench.send('OPTIONS');
  await bench.peer.next(({ status }) => status !== undefined, 'an answer to OPTIONS');
  await settled();
}

const dropLines = (bench: Bench): number => bench.log.lines.filter(({ message }) => message === DROPPED).length;

describe('a source that is not listed', () => {
  const { runs, timeoutMs } = runsOf(10_000, 30_000);
  it(
    'gets not one byte for any request or response, and fills neither log nor memory',
    { timeout: timeoutMs },
    async () => {
      const bench = await start();
      const stranger = await peerAt(STRANGER);
      await handled(bench);
      const linesBefore = bench.log.lines.length;
      const heapBefore = process.memoryUsage().heapUsed;
      const methods = ['INVITE', 'OPTIONS', 'REGISTER', 'BYE', 'CANCEL', 'ACK', 'MESSAGE', 'NONSENSE'];
      const forgeries = [`Via: SIP/2.0/UDP ${LISTED};branch=z9hG4bKx;received=${LISTED}`, `X-Forwarded-For: ${LISTED}`];
      for (let sent = 0; sent < runs; sent++) {
        const method = methods[sent % methods.length] ?? '';
        const request = stranger.newRequest(method, bench.uri(), { headers: sent % 3 === 0 ? forgeries : [] });
        const isResponse = sent % 5 === 0;
        stranger.send(isResponse ? request.replace(/^.*\r\n/, 'SIP/2.0 200 OK\r\n') : request, bench.sip);
        if (sent % 100 === 99) await handled(bench);
      }
      await handled(bench);
      expect(stranger.received).toEqual([]);
      expect(bench.log.lines.length - linesBefore).toBe(1);
      expect(dropLines(bench)).toBe(1);
      expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(64 * 1024 * 1024);
      expect(bench.server.counts().dialogs).toBe(0);
      const { invite, ok } = await bench.inboundCall();
      await bench.peerHangsUp(invite, ok);
      await bench.quiet();
    },
  );

  it('is told of once a minute, with how many there were', async () => {
    const bench = await start();
    const stranger = await peerAt(STRANGER);
    const knock = async (): Promise<void> => {
      stranger.send(stranger.newRequest('OPTIONS', bench.uri()), bench.sip);
      await handled(bench);
    };
    for (let n = 0; n < 3; n++) await knock();
    bench.clock.skip(60_000);
    await knock();
    const told = bench.log.lines.filter(({ message }) => message === DROPPED).map(({ fields }) => fields);
    expect(told).toEqual([
      { from: STRANGER, transport: 'udp', messages: 1 },
      { from: STRANGER, transport: 'udp', messages: 3 },
    ]);
  });

  it('has its TCP connection closed at once, without a byte', async () => {
    const bench = await start();
    const socket = connect({ ...bench.sip, localAddress: STRANGER });
    const bytes: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => bytes.push(chunk));
    socket.on('error', () => undefined);
    socket.write('OPTIONS sip:x SIP/2.0\r\n\r\n');
    await once(socket, 'close');
    expect(bytes).toEqual([]);
    expect(dropLines(bench)).toBe(1);
    const friend = connect({ ...bench.sip, localAddress: LISTED });
    friend.write('\r\n\r\n');
    expect(String((await once(friend, 'data')) as [Buffer])).toBe('\r\n');
    friend.destroy();
  });

  it('is let in once it is listed, and no longer when it is not', async () => {
    let names: readonly string[] = [LISTED];
    const bench = await start({ isKnownSource: (address) => names.includes(address) });
    const late = await peerAt(STRANGER);
    const ask = (): void => late.send(late.newRequest('OPTIONS', bench.uri()), bench.sip);
    ask();
    await handled(bench);
    expect(late.received).toHaveLength(0);
    names = [LISTED, STRANGER];
    ask();
    await late.next(({ status }) => status !== undefined, 'an answer');
    names = [LISTED];
    bench.clock.skip(1000);
    ask();
    await handled(bench);
    expect(late.received).toHaveLength(1);
  });
});

describe('a server that is not listed, but was sent a request', () => {
  it('answers, and hangs up', async () => {
    const bench = await start({ peer: await SipScriptPeer.udp(STRANGER) });
    const { invite, dialog } = await bench.outboundCall();
    const over = new Promise<void>((resolve) => dialog.on('destroy', () => resolve()));
    bench.peer.send(bench.peer.fromCallee('BYE', invite, 'peer1', 1), bench.sip);
    await bench.peer.response(200, 'BYE');
    await over;
  });

  it('may open a connection, but nothing new begins on it', async () => {
    const peer = await SipScriptPeer.tcp(STRANGER);
    const bench = await start({ peer });
    const { invite } = await bench.outboundCall();
    const socket = connect({ ...bench.sip, localAddress: STRANGER });
    const heard: string[] = [];
    socket.on('data', (chunk: Buffer) => heard.push(chunk.toString()));
    socket.write(peer.newRequest('OPTIONS', bench.uri()));
    socket.write(peer.fromCallee('BYE', invite, 'peer1', 1));
    await eventually(() => heard.join('').includes('BYE'), 'an answer to BYE');
    expect(heard.join('')).toMatch(/^SIP\/2\.0 200 OK\r\n/);
    expect(heard.join('')).not.toContain('OPTIONS');
    socket.destroy();
  });
});

describe('a call under way', () => {
  it('is ended from an address never heard of, if it names the dialog, and by nothing less', async () => {
    const bench = await start();
    const { invite, ok } = await bench.inboundCall();
    const branch = await peerAt(OTHER_STRANGER);
    const bye = branch.inDialog('BYE', invite, ok, { cseq: 2 });
    const guesses = [
      bye.replace(/;tag=[^\r\n]*/g, ';tag=guess'),
      bye.replace(/;tag=[^\r\n]*/g, ''),
      branch.newRequest('INVITE', bench.uri()).replace(/Call-ID: .*/, `Call-ID: ${invite.get('Call-ID')}`),
      branch.newRequest('CANCEL', bench.uri()).replace(/Call-ID: .*/, `Call-ID: ${invite.get('Call-ID')}`),
      'garbage\r\n'.concat(bye.slice(bye.indexOf('\r\n') + 2)),
    ];
    for (const text of guesses) branch.send(text, bench.sip);
    await handled(bench);
    expect(branch.received).toEqual([]);
    branch.send(bye, bench.sip);
    await branch.response(200, 'BYE');
    await bench.quiet();
  });

  it('gets no ACK or BYE to a 200 that a stranger made up', async () => {
    const bench = await start();
    const stranger = await peerAt(STRANGER);
    const { invite } = await bench.inboundCall();
    // It bears all the marks of an answer to an INVITE of ours that a crash made us forget.
    const forgotten = stranger
      .newRequest('INVITE', bench.uri(), { body: PEER_SDP })
      .replace(/Via: .*/, `Via: SIP/2.0/UDP ${bench.sip.host}:${bench.sip.port};branch=z9hG4bK${'0a'.repeat(12)}`)
      .replace(/(From: .*);tag=.*/, `$1;tag=${'0a'.repeat(8)}`);
    const made = stranger.responseText(read(forgotten), 200, 'OK', { toTag: 'x', body: PEER_SDP });
    stranger.send(made, bench.sip);
    stranger.send(made.replace(/Call-ID: .*/, `Call-ID: ${invite.get('Call-ID')}`), bench.sip);
    await handled(bench);
    expect(stranger.received).toEqual([]);
    bench.peer.send(made, bench.sip);
    await bench.peer.request('ACK');
    await bench.peer.request('BYE');
  });
});
