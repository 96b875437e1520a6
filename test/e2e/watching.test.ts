import { get } from 'node:http';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AdminAsker } from '../support/admin-asker.js';
import { NUMBER_ID, ScriptedBridge, USER } from '../support/scripted-bridge.js';
import { until } from '../support/until.js';
import { WrtcPeer } from '../support/wrtc-peer.js';

/** The events of `/v1/events` since this was called. */
async function watch(port: number): Promise<{ readonly events: { type: string; data: Record<string, unknown> }[] }> {
  const events: { type: string; data: Record<string, unknown> }[] = [];
  let rest = '';
  await new Promise<void>((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: '/v1/events', agent: false }, (response) => {
      response.setEncoding('utf8').on('data', (part: string) => {
        const blocks = (rest + part).split('\n\n');
        rest = blocks.pop() ?? '';
        for (const block of blocks) {
          const [, type, data] = /^id: \d+\nevent: (\w+)\ndata: (.*)$/.exec(block) ?? [];
          if (type && data) events.push({ type, data: JSON.parse(data) as Record<string, unknown> });
        }
        resolve();
      });
      response.on('error', () => undefined);
    }).on('error', reject);
  });
  return { events };
}

describe('whoever watches the daemon', () => {
  let bridge: ScriptedBridge;
  let phone: WrtcPeer;
  beforeEach(async () => {
    phone = new WrtcPeer();
    bridge = await ScriptedBridge.start();
  });
  afterEach(async () => {
    phone.close();
    await bridge.stop();
  });

  const metric = (sample: string): Promise<number | undefined> =>
    new AdminAsker(bridge.daemon.addresses.admin.port).metric(sample);

  it('sees a call begin and end, by events and by numbers', async () => {
    const { events } = await watch(bridge.daemon.addresses.admin.port);
    const active = 'calls_active{direction="user_initiated",trunk="pbx"}';
    const connect = bridge.userConnect('wacid.1', await phone.offer());
    await bridge.deliver(connect);
    const invite = await bridge.pbx.request('INVITE');
    expect(await metric(active)).toBe(1);
    await bridge.deliver(connect);
    await bridge.step('graph.pre_accept');
    bridge.pbx.reply(invite, 486, 'Busy Here', { toTag: 'p1' });
    const record = await bridge.record();
    await until(() => events.length === 2, 'both events');
    const party = { direction: 'user_initiated', number: 'sales', trunk: 'pbx', user: `+${USER}` };
    expect(events[0]).toMatchObject({ type: 'call_started', data: { call: record.call, ...party } });
    expect(events[1]).toEqual({ type: 'call_ended', data: record });
    expect(await metric(active)).toBe(0);
    const labels = 'direction="user_initiated",trunk="pbx",number="sales",result="client_error",cause="busy"';
    expect(await metric(`calls_total{${labels}}`)).toBe(1);
    for (const result of ['handled', 'duplicate']) {
      expect(await metric(`webhooks_total{number="sales",event="user_connect",result="${result}"}`)).toBe(1);
    }
    expect(await metric('webhook_delay_seconds_count{event="user_connect"}')).toBe(2);
    expect(await metric('graph_requests_total{operation="pre_accept",code="ok"}')).toBe(1);
    expect(await metric('drachtio_connected')).toBe(1);
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(await metric(`build_info{version="${version}",node="${process.version}"}`)).toBe(1);
  });

  it('sees permission replies with all their fields, and unknown things counted', async () => {
    const { events } = await watch(bridge.daemon.addresses.admin.port);
    const reply = {
      response: 'accept',
      is_permanent: false,
      expiration_timestamp: 4102444800,
      response_source: 'user_action',
    };
    const message = {
      ...{ context: { from: USER, id: 'wamid.asked' }, from: USER, id: 'wamid.reply', timestamp: bridge.now },
      ...{ type: 'interactive', interactive: { type: 'call_permission_reply', call_permission_reply: reply } },
    };
    const metadata = { display_phone_number: '15551112222', phone_number_id: NUMBER_ID };
    const value = { messaging_product: 'whatsapp', metadata, contacts: [{ wa_id: USER }], messages: [message] };
    const changes = [
      { field: 'messages', value },
      { field: 'never_heard_of', value: { metadata } },
    ];
    await bridge.deliver({ object: 'whatsapp_business_account', entry: [{ id: '1', changes }] });
    await until(() => events.length === 1, 'the event');
    expect(events[0]).toMatchObject({
      type: 'permission',
      data: {
        ...{ number: 'sales', numberId: NUMBER_ID, userNumber: `+${USER}`, response: 'accept', permanent: false },
        ...{ expiresAt: '2100-01-01T00:00:00.000Z', source: 'user_action', context: 'message' },
        ...{ contextId: 'wamid.asked', messageId: 'wamid.reply' },
      },
    });
    expect(await metric('permission_replies_total{response="accept",source="user_action"}')).toBe(1);
    expect(await metric('webhooks_total{number="sales",event="unknown",result="unknown"}')).toBe(1);
  });
});
