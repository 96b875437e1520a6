import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as schemas from '../../src/http/api/schemas.js';
import { AdminAsker } from '../support/admin-asker.js';
import { pbxSdp, ScriptedBridge, USER } from '../support/scripted-bridge.js';
import type { PeerMessage } from '../support/sip-script-peer.js';
import { until } from '../support/until.js';
import { WrtcPeer } from '../support/wrtc-peer.js';

describe('the admin API of a daemon with calls', () => {
  let bridge: ScriptedBridge;
  let phone: WrtcPeer;
  let admin: AdminAsker;
  beforeEach(async () => {
    phone = new WrtcPeer();
    bridge = await ScriptedBridge.start();
    admin = new AdminAsker(bridge.daemon.addresses.admin.port);
  });
  afterEach(async () => {
    phone.close();
    await bridge.stop();
  });

  /** A user's call that the PBX has answered. */
  async function answered(waCallId = 'wacid.up'): Promise<PeerMessage> {
    await bridge.deliver(bridge.userConnect(waCallId, await phone.offer()));
    const invite = await bridge.pbx.request('INVITE');
    await bridge.pbxPicksUp(invite);
    return invite;
  }

  /** The id of the one live call. */
  const liveId = async (): Promise<string> => (await admin.calls())[0]?.call ?? 'none';

  it('shows a call with both legs and its timeline, the user to the last digits', async () => {
    const invite = await answered();
    const [call] = await admin.calls();
    expect(call).toMatchObject({
      ...{ direction: 'user_initiated', state: 'connected', number: 'sales', trunk: 'pbx' },
      user: `…${USER.slice(-4)}`,
      legs: {
        a: { kind: 'whatsapp', state: 'confirmed', waCallId: 'wacid.up' },
        b: { kind: 'sip', state: 'confirmed', sipCallId: invite.get('Call-ID') },
      },
    });
    expect(call?.durationMs).toBeGreaterThanOrEqual(call?.billsecMs ?? 0);
    const detail = await admin.call(await liveId());
    const steps = detail.timeline.map(({ step }) => step);
    expect(steps).toEqual(expect.arrayContaining(['webhook.connect', 'graph.pre_accept', 'sip.invite', 'sip.answer']));
    expect(JSON.stringify([call, detail])).not.toContain(USER);
  });

  it('finds a call by the beginning of its id, and none by another', async () => {
    await answered();
    const id = await liveId();
    expect((await admin.call(id.slice(0, 12).toLowerCase())).call).toBe(id);
    const missing = await admin.ask('GET', '/v1/calls/7ZZZZZ');
    expect(missing).toMatchObject({ status: 404, json: { code: 'no_such_call', status: 404 } });
    schemas.problem.parse(missing.json);
  });

  it('ends a call, which is then among the ended ones', async () => {
    await answered();
    const id = await liveId();
    expect(await admin.ask('POST', `/v1/calls/${id}/hangup`, {})).toEqual({ status: 200, json: { call: id } });
    bridge.pbx.reply(await bridge.pbx.request('BYE'), 200, 'OK');
    const record = await bridge.record();
    expect(record).toMatchObject({ call: id, code: 'admin', endedBy: 'bridge' });
    expect(await admin.calls()).toEqual([]);
    expect((await admin.calls('?state=ended'))[0]).toMatchObject({
      call: id,
      state: 'ended',
      outcome: { code: 'admin' },
    });
    expect((await admin.ask('POST', `/v1/calls/${id}/hangup`, {})).json).toMatchObject({ code: 'call_over' });
    expect((await admin.ask('POST', '/v1/calls/01ARZ3NDEKTSV4RRFFQ69G5FAV/hangup', {})).json).toMatchObject({
      code: 'no_such_call',
    });
  });

  it('lists what failed with the other side’s words', async () => {
    await bridge.deliver(bridge.userConnect('wacid.busy', await phone.offer()));
    bridge.pbx.reply(await bridge.pbx.request('INVITE'), 486, 'Busy Here', { toTag: 'b1' });
    await bridge.record();
    expect(await admin.failures()).toMatchObject([{ state: 'ended', outcome: { code: 'busy', sipStatus: 486 } }]);
  });

  it('shows trunks and numbers', async () => {
    const [trunk] = await admin.trunks();
    expect(trunk).toMatchObject({
      ...{ name: 'pbx', state: 'unknown', calls: 0, acceptFrom: ['127.0.0.1/32'] },
      servers: [{ server: `127.0.0.1:${bridge.pbx.port}`, health: 'unknown', heldOff: false }],
    });
    const [number] = await admin.numbers();
    expect(number).toMatchObject({
      ...{ name: 'sales', trunk: 'pbx', calling: 'unmanaged', hours: { open: true } },
      settings: { state: 'unmanaged', differing: [] },
    });
    expect(await admin.status()).toMatchObject({ ready: true, calls: 0 });
  });

  it('takes no new calls while draining, and takes them again', async () => {
    await answered();
    const began = await admin.ask('POST', '/v1/drain', {});
    expect(schemas.drain.parse(began.json)).toMatchObject({ state: 'draining', calls: 1 });
    const other = new WrtcPeer();
    await bridge.deliver(bridge.userConnect('wacid.late', await other.offer()));
    expect(await bridge.record()).toMatchObject({ code: 'shutdown', waCallId: 'wacid.late' });
    expect(bridge.actions.at(-1)).toBe('reject');
    bridge.pbxCalls({ body: pbxSdp(40_002) });
    const refusal = await bridge.pbx.response(503, 'INVITE');
    expect(Number(refusal.get('Retry-After'))).toBeGreaterThan(0);
    expect(await admin.status()).toMatchObject({ ready: false, calls: 1 });
    expect((await admin.ask('DELETE', '/v1/drain')).json).toMatchObject({ state: 'off', calls: 1 });
    await bridge.deliver(bridge.userConnect('wacid.next', await other.offer()));
    await bridge.pbx.request('INVITE');
    await until(async () => (await admin.calls()).length === 2, 'two calls');
    other.close();
  });
});
