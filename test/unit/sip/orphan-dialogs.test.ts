import { expect, it } from 'vitest';
import type { OrphanDialog } from '../../../src/call/journal.js';
import { FakeClock } from '../../../src/lib/clock.js';
import type { CallId } from '../../../src/lib/ids.js';
import type { SrfApi, SrfHeaders, SrfRequest, SrfResponse } from '../../../src/sip/drachtio-types.js';
import { OrphanDialogs } from '../../../src/sip/orphan-dialogs.js';
import { RecordingLogger } from '../../support/recording-logger.js';

/** What the SIP server says to a request: a final status of the peer, a refusal to send, or nothing at all. */
type Say = number | 'refused' | 'silent' | 'no link';

interface Sent {
  readonly uri: string;
  readonly method: string;
  readonly headers: SrfHeaders;
  readonly name: string | undefined;
  readonly proxy: string | undefined;
}

class FakeSrf {
  readonly sent: Sent[] = [];
  /** Transactions that were answered. */
  readonly answered: string[] = [];

  constructor(private readonly say: (sent: Sent) => Say) {}

  request: SrfApi['request'] = (uri, options, callback) => {
    const { method, headers = {}, stackDialogId, stackTxnId, proxy } = options;
    const sent = { uri, method, headers, name: stackDialogId ?? stackTxnId, proxy };
    this.sent.push(sent);
    const said = this.say(sent);
    if (said === 'no link') throw new Error('no connection');
    if (said === 'refused') return callback(new Error('unable to find dialog'), undefined);
    const on = (_event: string, listener: (response: SrfResponse) => void): void => {
      if (said === 'silent') return;
      for (const status of [100, said]) listener({ status } as SrfResponse);
    };
    callback(null, { on } as unknown as SrfRequest);
  };

  /** The agent below srf, as far as it is used. */
  readonly _app = {
    client: {
      _getDefaultSocket: () => 'socket',
      sendResponse: (
        { msg, req }: { msg: string; req: { stackTxnId: string } },
        { headers }: { headers: SrfHeaders },
        callback: (error: unknown) => void,
      ) => {
        const said = this.say({ uri: '', method: msg, headers, name: req.stackTxnId, proxy: undefined });
        if (said === 200) this.answered.push(`${msg.slice(0, 11)} ${req.stackTxnId} ${headers['Retry-After']}`);
        callback(said === 200 ? null : 'unknown transaction');
      },
    },
  };
}

const base = { call: 'CALL' as CallId, sipCallId: 'cid' };
const record = {
  dialogId: 'cid;from-tag=l',
  sipCallId: 'cid',
  localTag: 'l',
  remoteTag: 'r',
  localParty: '<sip:us@h>',
  remoteParty: '"P" <sip:p@h>',
  cseq: '41 INVITE',
  remoteTarget: 'sip:p@192.0.2.1',
  routeSet: '',
  peer: 'sip:192.0.2.9:5070',
};
const dialog = (data: Partial<typeof record> = {}): OrphanDialog => ({
  ...base,
  stands: true,
  data: { ...record, ...data },
});
const dialled = (data: Record<string, string>): OrphanDialog => ({
  ...base,
  stands: false,
  data: { localTag: 'l', uri: 'sip:p@h', ...data },
});
const arrived: OrphanDialog = { ...base, stands: false, data: { arrived: 'true', txn: 't', fromTag: 'f' } };

async function ended(orphan: OrphanDialog, say: (sent: Sent) => Say) {
  const srf = new FakeSrf(say);
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const orphans = new OrphanDialogs({ srf: srf as unknown as SrfApi, clock, logger, orphanMs: 4_000 });
  const outcome = orphans.end(orphan);
  for (let step = 0; step < 9; step++) {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(500);
  }
  return {
    outcome: await outcome,
    srf,
    steps: srf.sent.map(({ method, name }) => `${method} ${name ?? 'by hand'}`),
    logger,
  };
}

const byName = (sent: Sent): boolean => sent.name !== undefined;

it('a dialog the SIP server still knows is hung up by its name, once', async () => {
  const { outcome, steps, srf } = await ended(dialog(), () => 200);
  expect([outcome, steps]).toEqual(['ended', ['BYE cid;from-tag=l']]);
  expect(srf.sent[0]?.headers['Reason']).toMatch(/^SIP;cause=503/);
});

it('a BYE by hand stays within 31 bits, wherever the peer began to count', async () => {
  const { srf } = await ended(dialog({ cseq: '2147483000 INVITE' }), (sent) => (byName(sent) ? 'refused' : 200));
  expect(srf.sent[1]?.headers['CSeq']).toBe('2147483647 BYE');
});

it('one it does not know gets a BYE by hand, in the dialog and to where the peer was heard', async () => {
  const { outcome, steps, srf } = await ended(dialog(), (sent) => (byName(sent) ? 'refused' : 200));
  expect([outcome, steps]).toEqual(['ended', ['BYE cid;from-tag=l', 'BYE by hand']]);
  expect(srf.sent[1]).toMatchObject({
    uri: 'sip:p@192.0.2.1',
    proxy: 'sip:192.0.2.9:5070',
    headers: { From: '<sip:us@h>;tag=l', To: '"P" <sip:p@h>;tag=r', 'Call-ID': 'cid', CSeq: '1000041 BYE' },
  });
});

it('a BYE by hand names nobody but the dialog where names would make it too large to be sent', async () => {
  const parties = { localParty: `<sip:${'u'.repeat(1_000)}@h>`, remoteParty: `"${'P'.repeat(1_000)}" <sip:p@h>` };
  const bye = async (more: object) =>
    (await ended(dialog({ ...parties, ...more }), (sent) => (byName(sent) ? 'refused' : 200))).srf.sent[1]?.headers;
  expect(await bye({})).toMatchObject({ From: `${parties.localParty};tag=l`, To: `${parties.remoteParty};tag=r` });
  const short = await bye({ remoteTarget: `sip:p@192.0.2.1;x=${'x'.repeat(1_000)}`, sipCallId: 'c'.repeat(1_000) });
  expect(short).toMatchObject({
    From: '<sip:anonymous.invalid>;tag=l',
    To: '<sip:anonymous.invalid>;tag=r',
    CSeq: '1000041 BYE',
  });
});

it('a BYE by hand goes to the first proxy of the route set', async () => {
  const routeSet = '<sip:p1.example;lr>, <sip:p2.example;lr>';
  const { srf } = await ended(dialog({ routeSet }), (sent) => (byName(sent) ? 'refused' : 200));
  expect(srf.sent[1]?.proxy).toBe('sip:p1.example;lr');
});

it.each<[string, Say, string]>([
  ['knows no such dialog', 481, 'gone'],
  ['refuses', 403, 'failed'],
  ['is not reached', 503, 'failed'],
  ['says nothing', 'silent', 'failed'],
])('a peer that %s is told as such', async (_what, said, outcome) => {
  expect((await ended(dialog(), () => said)).outcome).toBe(outcome);
});

it.each<[string, Say]>([
  ['a link that is lost again', 'no link'],
  ['a SIP server that sends nothing', 'refused'],
])('%s fails the orphan, not the caller', async (_what, said) => {
  expect((await ended(dialog(), () => said)).outcome).toBe('failed');
});

it('a record that is not whole fails, and is told of', async () => {
  const { outcome, logger } = await ended({ ...base, stands: true, data: { sipCallId: 'cid' } }, () => 200);
  expect(outcome).toBe('failed');
  expect(logger.lines.map(({ level }) => level)).toEqual(['warn']);
});

it('an INVITE that arrived is refused by its transaction', async () => {
  const { outcome, srf } = await ended(arrived, () => 200);
  expect([outcome, srf.answered, srf.sent]).toEqual(['ended', ['SIP/2.0 503 t 5'], []]);
});

it('one whose transaction is over may have become a dialog', async () => {
  const { outcome, steps } = await ended(arrived, (sent) => (sent.method === 'BYE' ? 200 : 'refused'));
  expect([outcome, steps]).toEqual(['ended', ['BYE cid;from-tag=f']]);
  expect((await ended(arrived, () => 'refused')).outcome).toBe('gone');
});

it('an INVITE of ours is cancelled, and its dialog looked for in case a 200 crossed', async () => {
  const crossed = await ended(dialled({ txn: 't' }), () => 200);
  expect([crossed.outcome, crossed.steps]).toEqual(['ended', ['CANCEL t', 'BYE cid;from-tag=l']]);
  const plain = await ended(dialled({ txn: 't' }), ({ method }) => (method === 'CANCEL' ? 200 : 'refused'));
  expect(plain.outcome).toBe('ended');
});

it('without a name for its transaction, only its dialog can be ended', async () => {
  const { outcome, steps } = await ended(dialled({}), () => 'refused');
  expect([outcome, steps]).toEqual(['gone', ['BYE cid;from-tag=l']]);
});
