import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TortureMessage } from '../../fixtures/sip/torture-messages.js';
import { TORTURE_MESSAGES } from '../../fixtures/sip/torture-messages.js';
import { eventually } from '../../support/eventually.js';
import type { PeerMessage } from '../../support/sip-script-peer.js';
import { SipScriptPeer } from '../../support/sip-script-peer.js';
import { HostileScene } from './hostile-scene.js';

/** What a valid message comes to at a user agent that takes calls and nothing else; undefined: no answer is due. */
const ANSWERS: Readonly<Record<string, number | 'call' | undefined>> = {
  // Its To has a tag of no dialog (RFC 3261 §12.2.2).
  wsinvite: 481,
  intmeth: 501,
  esc01: 'call',
  escnull: 405,
  esc02: 501,
  lwsdisp: 200,
  longreq: 'call',
  dblreq: 405,
  semiuri: 200,
  transports: 200,
  mpart01: 405,
  unreason: undefined,
  noreason: undefined,
  badbranch: 200,
  unksm2: 405,
  bext01: 420,
  invut: 415,
  regaut01: 405,
  bcast: undefined,
  zeromf: 200,
  cparam01: 405,
  cparam02: 405,
  regescrt: 405,
  sdp01: 406,
  // RFC 2543 needed neither Contact nor From tag; no RFC 3261 dialog can be made without.
  inv2543: 400,
  escruri: 'call',
  baddate: 'call',
  regbadct: 405,
  badaspec: 200,
};

/** On a stream whose messages cannot be told apart any more the connection ends, or the rest is waited for. */
const ON_A_STREAM: Readonly<Record<string, 'closed' | 'waits'>> = { clerr: 'waits', ncl: 'closed', mcl01: 'closed' };
/** An answer would have to go where its Via says, and that cannot be read. */
const UNANSWERABLE = new Set(['badinv01']);

const keyOf = ({ name }: TortureMessage): string => name.slice(0, name.indexOf(':'));

function due(message: TortureMessage): number | 'call' | undefined {
  const { verdict } = message;
  if (verdict === 'drop' || UNANSWERABLE.has(keyOf(message))) return undefined;
  return verdict === 'accept' ? ANSWERS[keyOf(message)] : verdict;
}

it('what each valid message comes to is written down', () => {
  const valid = TORTURE_MESSAGES.filter(({ verdict }) => verdict === 'accept').map(keyOf);
  expect(valid.sort()).toEqual(Object.keys(ANSWERS).sort());
  expect(TORTURE_MESSAGES).toHaveLength(49);
});

describe.each(['udp', 'tcp'] as const)('RFC 4475 over %s, at the whole stack', (transport) => {
  let scene: HostileScene;
  let peer: SipScriptPeer;
  beforeAll(async () => {
    scene = await HostileScene.start();
  });
  afterAll(() => scene.stop());

  async function way(): Promise<Socket | HostileScene['at']> {
    peer = transport === 'udp' ? await SipScriptPeer.udp() : await SipScriptPeer.tcp();
    return transport === 'udp' ? scene.at : peer.dial(scene.at);
  }

  const isFinal = (message: PeerMessage): boolean => (message.status ?? 0) >= 200;

  /** By the time this is answered, what was sent before has been dealt with. */
  async function fence(to: Socket | HostileScene['at']): Promise<void> {
    const text = peer.newRequest('OPTIONS', scene.uri(), { headers: ['X-Fence: yes'] });
    peer.send(text, to);
    const callId = /Call-ID: (.*)/.exec(text)?.[1];
    await peer.next((message) => isFinal(message) && message.get('Call-ID') === callId, 'answer to the fence');
  }

  async function endCall(ok: PeerMessage, to: Socket | HostileScene['at']): Promise<void> {
    const inDialog = (method: string, seq: number): string =>
      [
        `${method} ${ok.contactUri} SIP/2.0`,
        `Via: SIP/2.0/${transport.toUpperCase()} ${peer.place};branch=z9hG4bK${method}${ok.cseq}`,
        'Max-Forwards: 70',
        ...['From', 'To', 'Call-ID'].map((name) => `${name}: ${ok.get(name)}`),
        `CSeq: ${seq} ${method}`,
        'Content-Length: 0',
        '',
        '',
      ].join('\r\n');
    peer.send(inDialog('ACK', ok.cseq), to);
    peer.send(inDialog('BYE', ok.cseq + 1), to);
    await peer.response(200, 'BYE');
  }

  it.each(TORTURE_MESSAGES.map((message) => [message.section, message.name, message] as const))(
    '§%s %s',
    async (_section, _name, message) => {
      const to = await way();
      const onStream = transport === 'tcp' ? ON_A_STREAM[keyOf(message)] : undefined;
      const closed = 'write' in to ? once(to, 'close') : undefined;
      peer.send(Buffer.from(message.text, 'latin1'), to);
      if (onStream === 'closed') await closed;
      if (onStream !== undefined) {
        expect(peer.count(isFinal)).toBe(0);
        return peer.stop();
      }
      const wanted = due(message);
      if (wanted === undefined) {
        await fence(to);
        expect(peer.count((it) => isFinal(it))).toBe(1);
        return peer.stop();
      }
      const answer = await peer.next(isFinal, 'final answer');
      expect(answer.status).toBe(wanted === 'call' ? 200 : wanted);
      if (wanted === 'call') await endCall(answer, to);
      return peer.stop();
    },
  );

  it('nothing was thrown, the next call comes up and down within 1 s, and nothing is left', async () => {
    expect(await scene.cleanCall()).toBeLessThan(1000);
    expect(scene.faults).toEqual([]);
    await scene.quiet();
    await eventually(() => scene.agent.legs === 0, 'no legs');
  });
});
