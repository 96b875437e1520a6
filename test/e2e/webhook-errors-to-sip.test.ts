import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFixture } from '../support/fixtures.js';
import { loopbackSdp } from '../support/loopback-sdp.js';
import { ScriptedBridge } from '../support/scripted-bridge.js';
import type { PeerMessage } from '../support/sip-script-peer.js';

const offer = loopbackSdp(readFixture('sdp/meta-user-initiated-offer-from-meta.sdp'));
const answer = loopbackSdp(readFixture('sdp/meta-business-initiated-answer-from-meta.sdp'));

/** Meta's error, and what the PBX gets of it: final status and cause before the answer, cause of the BYE after it. */
const rows = [
  { code: 131026, before: [480, 20], after: 41 },
  { code: 131044, before: [403, 21], after: 21 },
  { code: 138019, before: [480, 20], after: 41 },
  { code: 138020, before: [480, 20], after: 41 },
  { code: 138021, before: [480, 102], after: 102 },
  { code: 138022, before: [480, 102], after: 102 },
  { code: 138023, before: [504, 41], after: 41 },
  // Not in Meta's tables.
  { code: 424242, before: [480, 20], after: 41 },
] as const;

const words = 'Meta says why';
const errorOf = (code: number) => ({ code, title: 'Title', error_data: { details: words } });

describe('what Meta says with terminate, as the PBX hears it; one bridge for all', () => {
  let bridge: ScriptedBridge;
  let made = 0;
  let answered = 0;
  beforeAll(async () => {
    bridge = await ScriptedBridge.start();
  });
  afterAll(() => bridge.stop());

  /** The PBX calls, and Meta has taken the call. */
  const dialled = async (): Promise<{ id: string; invite: PeerMessage; mine: (message: PeerMessage) => boolean }> => {
    const id = `wacid.double-${++made}`;
    const invite = bridge.pbxCalls();
    await expect.poll(() => bridge.graph.actions.filter((action) => action === 'connect').length).toBe(made);
    return { id, invite, mine: (message) => message.get('Call-ID') === invite.get('Call-ID') };
  };
  const acks = (): number => {
    const { timeline } = bridge.daemon;
    return timeline.calls.flatMap((call) => timeline.stepsOf(call)).filter(({ step }) => step === 'sip.ack').length;
  };
  /** Meta's errors come inside the call or beside it, as the samples have it and as was seen. */
  const failed = (id: string, code: number): unknown =>
    made % 2 === 0
      ? bridge.terminate(id, 'BUSINESS_INITIATED', { status: 'FAILED', errors: [errorOf(code)] })
      : bridge.event({
          calls: [
            { id, event: 'terminate', direction: 'BUSINESS_INITIATED', timestamp: bridge.now, status: ['Failed'] },
          ],
          errors: [{ ...errorOf(code), code: String(code) }],
        });

  it.each(rows)('$code before the pick-up', async ({ code, before }) => {
    const { id, mine } = await dialled();
    const calls = bridge.records.length;
    await bridge.deliver(bridge.status(id, 'RINGING'));
    await bridge.deliver(failed(id, code));
    const final = await bridge.pbx.next((message) => mine(message) && (message.status ?? 0) >= 300, 'a refusal');
    const [status, q850] = before;
    expect(final.status).toBe(status);
    expect(final.get('Reason')).toBe(`Q.850;cause=${q850};text="${code} ${words}"`);
    expect(final.get('Warning')).toBe(`399 sip2wa "${code} ${words}"`);
    expect(final.get('X-WA-Call-Id')).toBe(id);
    expect(await bridge.record(calls)).toMatchObject({ sipStatus: status, q850, metaCode: code, metaStatus: 'FAILED' });
  });

  it.each(rows)('$code in the call', async ({ code, after }) => {
    const { id, invite, mine } = await dialled();
    const calls = bridge.records.length;
    await bridge.deliver(bridge.businessConnect(id, answer));
    await bridge.deliver(bridge.status(id, 'ACCEPTED'));
    const ok = await bridge.pbx.next((message) => mine(message) && message.status === 200, '200');
    bridge.pbx.send(bridge.pbx.inDialog('ACK', invite, ok, { cseq: 1 }), bridge.sip);
    await expect.poll(acks).toBe(++answered);
    await bridge.deliver(failed(id, code));
    const bye = await bridge.pbx.next((message) => mine(message) && message.method === 'BYE', 'BYE');
    expect(bye.get('Reason')).toBe(`Q.850;cause=${after};text="${code} ${words}"`);
    bridge.pbx.reply(bye, 200, 'OK');
    expect(await bridge.record(calls)).toMatchObject({ q850: after, metaCode: code });
  });

  it('a user’s call that fails while the PBX rings is cancelled with Meta’s words', async () => {
    await bridge.deliver(bridge.userConnect('wacid.user', offer));
    const invite = await bridge.pbx.request('INVITE');
    const calls = bridge.records.length;
    bridge.pbx.reply(invite, 180, 'Ringing', { toTag: 'p1' });
    await bridge.step('sip.ringing', ({ direction }) => direction === 'in');
    const errors = [errorOf(131044)];
    await bridge.deliver(bridge.terminate('wacid.user', 'USER_INITIATED', { status: 'FAILED', errors }));
    const cancel = await bridge.pbx.request('CANCEL');
    expect(cancel.get('Reason')).toBe(`Q.850;cause=21;text="131044 ${words}"`);
    bridge.pbx.reply(cancel, 200, 'OK');
    bridge.pbx.reply(invite, 487, 'Request Terminated', { toTag: 'p1' });
    expect(await bridge.record(calls)).toMatchObject({ code: 'not_allowed', metaCode: 131044, endedBy: 'a' });
  });

  it('nothing was terminated by us: Meta had ended every call', () => {
    expect(new Set(bridge.actions)).toEqual(new Set(['connect', 'pre_accept']));
  });
});
