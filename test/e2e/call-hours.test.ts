import type { Socket } from 'node:dgram';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DAYS } from '../../src/routing/week.js';
import { boundSocket } from '../support/bound-socket.js';
import { pbxSdp, ScriptedBridge } from '../support/scripted-bridge.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { WrtcPeer } from '../support/wrtc-peer.js';

const DAY_MS = 24 * 3_600_000;
/** In three days by UTC, whatever today is: neither yesterday's nor tomorrow's entry. */
const inThreeDays = (): string => DAYS[(new Date(Date.now() + 3 * DAY_MS).getUTCDay() + 6) % 7] ?? '';

describe('call hours', () => {
  let bridge: ScriptedBridge;
  let phone: WrtcPeer;
  let rtp: Socket;
  let logger: RecordingLogger;

  const start = async (hours: string, routes = ''): Promise<void> => {
    bridge = await ScriptedBridge.start({
      logger,
      more: routes,
      number: `settings: { calling: { call_hours: { ${hours} } } }`,
    });
  };
  const closed = (): string =>
    `status: ENABLED, timezone_id: UTC, weekly_operating_hours: [{ day_of_week: ${inThreeDays()}, open_time: "0900", close_time: "1700" }]`;

  beforeEach(async () => {
    logger = new RecordingLogger();
    phone = new WrtcPeer();
    rtp = await boundSocket();
  });
  afterEach(async () => {
    phone.close();
    rtp.close();
    await bridge.stop();
  });

  it('closed: the call is rejected at Meta, the PBX hears nothing, log and record say when it opens', async () => {
    await start(closed());
    expect(await bridge.deliver(bridge.userConnect('wacid.1', await phone.offer()))).toBe(200);
    const record = await bridge.record();
    expect(record).toMatchObject({ code: 'closed', endedBy: 'bridge', number: 'sales' });
    expect(record.text).toMatch(/^closed at \S+ \d{4} UTC: [A-Z]+ has no entry; opens [A-Z][a-z]{2} \S+ 09:00 UTC$/);
    expect(bridge.actions).toEqual(['reject']);
    const ended = logger.lines.find(({ message }) => message === 'call ended');
    expect(ended?.fields).toMatchObject({ code: 'closed', text: record.text });
    expect(bridge.pbx.count(({ method }) => method === 'INVITE')).toBe(0);
  });

  it('closed, with a route for closed hours: the call goes there', async () => {
    await start(closed(), 'routes: [{ hours: open, trunk: pbx }, { hours: closed, trunk: pbx, to: "voicemail" }]');
    await bridge.deliver(bridge.userConnect('wacid.1', await phone.offer()));
    const invite = await bridge.pbx.request('INVITE');
    expect(invite.uri).toContain('sip:voicemail@');
    bridge.pbx.reply(invite, 486, 'Busy Here', { toTag: 'p1' });
    await bridge.pbx.request('ACK');
    expect(await bridge.record()).toMatchObject({ code: 'busy' });
  });

  it('closed: the PBX may call users all the same', async () => {
    await start(closed());
    bridge.pbxCalls({ body: pbxSdp(rtp.address().port) });
    await bridge.step('graph.connect');
    expect(bridge.actions).toEqual(['connect']);
  });

  it('DISABLED: the call is routed, whatever the entries say', async () => {
    await start(closed().replace('ENABLED', 'DISABLED'));
    await bridge.deliver(bridge.userConnect('wacid.1', await phone.offer()));
    const invite = await bridge.pbx.request('INVITE');
    bridge.pbx.reply(invite, 486, 'Busy Here', { toTag: 'p1' });
    await bridge.pbx.request('ACK');
    expect(await bridge.record()).toMatchObject({ code: 'busy' });
  });
});
