import { afterEach, describe, expect, it } from 'vitest';
import type { ChallengedRefresh } from '../../../src/sip-server/core/answer-challenge.js';
import { eventually } from '../../support/eventually.js';
import { PEER_SDP, type PeerMessage } from '../../support/sip-script-peer.js';
import { Bench } from './bench.js';

const HALF_MS = 300_000;
const CREDENTIALS = { 'Proxy-Authorization': 'Digest username="u"' } as const;
const WE_REFRESH = ['Session-Expires: 600;refresher=uac'];
const BY_UPDATE = [...WE_REFRESH, 'Allow: INVITE, ACK, BYE, CANCEL, UPDATE'];

let bench: Bench;
const asked: ChallengedRefresh[] = [];

afterEach(async () => {
  asked.length = 0;
  await bench.stop();
});

/** A call of ours that we refresh, and its first refresh, which comes at half the interval. */
async function refreshing(method: 'UPDATE' | 'INVITE', answer: 'first' | 'never' | 'throws' = 'first') {
  bench = await Bench.start({
    answerChallenge: (refresh) => {
      asked.push(refresh);
      if (answer === 'throws') throw new Error('not today');
      return answer === 'first' && !refresh.isRepeated ? CREDENTIALS : undefined;
    },
  });
  const { invite, dialog } = await bench.outboundCall(method === 'UPDATE' ? BY_UPDATE : WE_REFRESH);
  bench.clock.skip(HALF_MS);
  const refresh = await bench.peer.next((it) => it.method === method && it.cseq > invite.cseq, 'a refresh');
  return { invite, dialog, refresh };
}

const challenge = (request: PeerMessage, status: 401 | 407 = 407): void =>
  bench.peer.reply(request, status, 'Who are you', {
    headers: [
      `${status === 407 ? 'Proxy-Authenticate' : 'WWW-Authenticate'}: Digest realm="a",nonce="1"`,
      `${status === 407 ? 'Proxy-Authenticate' : 'WWW-Authenticate'}: Digest realm="b",nonce="2"`,
    ],
  });

const repeatOf = ({ method, cseq }: PeerMessage): Promise<PeerMessage> =>
  bench.peer.next((it) => it.method === method && it.cseq > cseq, 'the refresh again');

/** Nothing of the refresh is under way any more. */
const settled = (): Promise<void> => eventually(() => bench.server.counts().pending === 0, 'the refresh done');

describe('a session refresh of the server’s that is challenged', () => {
  it.each([401, 407] as const)(
    'by %i: UPDATE goes out again with what it is told, and the session goes on',
    async (status) => {
      const { invite, dialog, refresh } = await refreshing('UPDATE');
      challenge(refresh, status);
      const again = await repeatOf(refresh);
      expect(asked).toEqual([
        {
          callId: invite.get('Call-ID'),
          localTag: invite.tag('From'),
          remoteTag: 'peer1',
          method: 'UPDATE',
          uri: refresh.uri,
          status,
          challenge: 'Digest realm="a",nonce="1", Digest realm="b",nonce="2"',
          from: '127.0.0.1',
          isRepeated: false,
        },
      ]);
      expect(again.cseq).toBe(refresh.cseq + 1);
      expect(again.branch).not.toBe(refresh.branch);
      expect(again.all('Proxy-Authorization')).toEqual([CREDENTIALS['Proxy-Authorization']]);
      for (const name of ['From', 'To', 'Call-ID', 'Contact', 'Session-Expires', 'Supported'])
        expect(again.all(name)).toEqual(refresh.all(name));
      bench.peer.reply(again, 200, 'OK', { headers: WE_REFRESH });
      await settled();
      // Beyond the first expiry, which the 200 has put off.
      bench.clock.skip(HALF_MS);
      const next = await repeatOf(again);
      expect(next.has('Proxy-Authorization')).toBe(false);
      bench.peer.reply(next, 200, 'OK', { headers: WE_REFRESH });
      await settled();
      bench.clock.skip(HALF_MS - 1000);
      await bench.routed();
      expect(bench.peer.count(({ method }) => method === 'BYE')).toBe(0);
      await bench.appHangsUp(dialog);
      await bench.quiet();
    },
  );

  it('INVITE: the challenge is acknowledged hop by hop, the 200 with the credentials in a request of its own', async () => {
    const { dialog, refresh } = await refreshing('INVITE');
    challenge(refresh);
    const first = await bench.peer.next((it) => it.method === 'ACK' && it.cseq === refresh.cseq, 'ACK to the 407');
    expect(first.branch).toBe(refresh.branch);
    expect(first.has('Proxy-Authorization')).toBe(false);
    const again = await repeatOf(refresh);
    expect(again.body).toBe(PEER_SDP);
    expect(again.get('Content-Length')).toBe(String(PEER_SDP.length));
    bench.peer.reply(again, 200, 'OK', { body: PEER_SDP, headers: WE_REFRESH });
    const second = await bench.peer.next((it) => it.method === 'ACK' && it.cseq === again.cseq, 'ACK to the 200');
    expect(second.branch).not.toBe(again.branch);
    expect(second.get('Proxy-Authorization')).toBe(CREDENTIALS['Proxy-Authorization']);
    await settled();
    await bench.appHangsUp(dialog);
    await bench.quiet();
  });

  it.each(['never', 'throws'] as const)(
    'without an answer (%s) is tried again later, until the session ends',
    async (how) => {
      const { refresh } = await refreshing('UPDATE', how);
      challenge(refresh);
      await settled();
      bench.clock.skip(100_000);
      challenge(await repeatOf(refresh));
      await settled();
      expect(bench.peer.count((it) => it.has('Proxy-Authorization'))).toBe(0);
      bench.clock.skip(170_000);
      bench.peer.reply(await bench.peer.request('BYE'), 200, 'OK');
      await bench.quiet();
    },
  );

  it('again, and refused credentials: both are asked about, the third comes later', async () => {
    const { dialog, refresh } = await refreshing('UPDATE');
    challenge(refresh);
    const again = await repeatOf(refresh);
    challenge(again);
    await settled();
    expect(asked.map(({ isRepeated }) => isRepeated)).toEqual([false, true]);
    await bench.routed();
    expect(bench.peer.count(({ method }) => method === 'UPDATE')).toBe(2);
    bench.clock.skip(100_000);
    const later = await repeatOf(again);
    expect(later.has('Proxy-Authorization')).toBe(false);
    bench.peer.reply(later, 200, 'OK', { headers: WE_REFRESH });
    await settled();
    await bench.appHangsUp(dialog);
    await bench.quiet();
  });

  it('is not repeated where the peer has refreshed the session in the meantime', async () => {
    const { invite, dialog, refresh } = await refreshing('UPDATE');
    const own = bench.peer.fromCallee('UPDATE', invite, 'peer1', 1, ['Supported: timer', 'Session-Expires: 600']);
    bench.peer.send(own, bench.sip);
    await bench.peer.response(200, 'UPDATE');
    challenge(refresh);
    await settled();
    await bench.routed();
    expect(bench.peer.count(({ method }) => method === 'UPDATE')).toBe(1);
    await bench.appHangsUp(dialog);
    await bench.quiet();
  });

  it('by INVITE gives way to an INVITE of the peer’s that comes before its repetition (RFC 3261 §14.1)', async () => {
    const asking: (() => void)[] = [];
    let gated = false;
    const addresses = async (): Promise<string[]> => {
      if (gated) await new Promise<void>((resolve) => asking.push(resolve));
      return ['127.0.0.1'];
    };
    const records = () => Promise.resolve([]);
    bench = await Bench.start({ answerChallenge: () => CREDENTIALS, dns: { addresses, srv: records, naptr: records } });
    const route = `<sip:proxy.example:${bench.peer.port};lr>`;
    const { invite, dialog } = await bench.outboundCall([...WE_REFRESH, `Record-Route: ${route}`]);
    const modified = new Promise<() => void>((resolve) => {
      dialog.on('modify', (_req, res) => resolve(() => res.send(200, { body: PEER_SDP })));
    });
    bench.clock.skip(HALF_MS);
    const refresh = await bench.peer.next((it) => it.method === 'INVITE' && it.cseq > invite.cseq, 'a refresh');
    bench.peer.reply(refresh, 100, 'Trying');
    bench.send('OPTIONS');
    await bench.peer.next((it) => it.status !== undefined && it.get('CSeq') === '1 OPTIONS', 'the 100 taken');
    gated = true;
    // What DNS has said is remembered for 30 s.
    bench.clock.skip(31_000);
    challenge(refresh);
    await eventually(() => asking.length > 0, 'the way of the repetition');
    bench.peer.send(bench.peer.fromCallee('INVITE', invite, 'peer1', 1, [], PEER_SDP), bench.sip);
    const answer = await modified;
    gated = false;
    for (const go of asking.splice(0)) go();
    await eventually(() => bench.log.text().includes('session refresh refused'), 'the repetition given up');
    answer();
    await bench.peer.response(200, 'INVITE');
    bench.peer.send(bench.peer.fromCallee('ACK', invite, 'peer1', 1), bench.sip);
    await bench.routed();
    expect(bench.peer.requestsOf('INVITE')).toBe(2);
    await bench.appHangsUp(dialog);
    await bench.quiet();
  });

  it('is not waited for beyond the session: a peer that does not answer the repetition gets BYE', async () => {
    const { refresh } = await refreshing('UPDATE');
    challenge(refresh);
    await repeatOf(refresh);
    bench.clock.skip(HALF_MS);
    bench.peer.reply(await bench.peer.request('BYE'), 200, 'OK');
    await bench.quiet();
  });
});
