import { describe, expect, it } from 'vitest';
import type { MeasuredCall } from '../../../src/cli/demo-calls.js';
import { demoConfig, demoIdentity, parsePbx } from '../../../src/cli/demo-config.js';
import { DemoLog } from '../../../src/cli/demo-log.js';
import { allHeard, jsonReport, textReport } from '../../../src/cli/demo-report.js';

const heard = { toneHz: 620.4, levelDb: -9.13, loss: 0.0114, delayMs: 42.04, likeness: 0.9 };
const call: MeasuredCall = {
  direction: 'user_initiated',
  answered: true,
  setupMs: 310.26,
  heardByPbx: heard,
  heardByPhone: { ...heard, toneHz: 840 },
  playedHz: { byPhone: 620, byPbx: 840 },
  packetsBeforeAnswer: 0,
  echo: undefined,
  stalledMs: 3,
  moments: [
    { at: 1000.2, who: 'bridge', what: 'webhook: connect', detail: 'in' },
    { at: 1042.9, who: 'phone', what: 'hears the first sound', detail: '' },
  ],
};
const nothing = { toneHz: undefined, levelDb: -120, loss: 1, delayMs: undefined, likeness: 0 };

describe('what counts as carried', () => {
  it('both ways heard in full', () => expect(allHeard([call, call])).toBe(true));
  it.each<[string, Partial<MeasuredCall>]>([
    ['no answer', { answered: false }],
    ['nothing at the PBX', { heardByPbx: nothing }],
    ['nothing at the phone', { heardByPhone: nothing }],
    ['a tone 2 % off', { heardByPbx: { ...heard, toneHz: 633 } }],
    ["the other side's own tone", { heardByPhone: heard }],
    ['2 % lost', { heardByPbx: { ...heard, loss: 0.02 } }],
    ['150 ms late', { heardByPhone: { ...heard, toneHz: 840, delayMs: 150 } }],
    ['RTP before the answer', { packetsBeforeAnswer: 1 }],
  ])('not %s', (_, change) => expect(allHeard([call, { ...call, ...change }])).toBe(false));
  it("with a PBX of one's own the phone must hear something", () => {
    const own = { ...call, heardByPbx: undefined };
    expect(allHeard([{ ...own, heardByPhone: { ...nothing, levelDb: -30 } }])).toBe(true);
    expect(allHeard([{ ...own, heardByPhone: nothing }])).toBe(false);
  });
});

describe('reports', () => {
  it('JSON has the promised keys, rounded, null where nothing was measured', () => {
    expect(jsonReport([call, { ...call, answered: false, setupMs: undefined, heardByPbx: nothing }])).toEqual({
      calls: [
        {
          direction: 'user_initiated',
          answered: true,
          heard_by_pbx: { tone_hz: 620.4, level_db: -9.1, loss: 0.0114, delay_ms: 42 },
          heard_by_phone: { tone_hz: 840, level_db: -9.1, loss: 0.0114, delay_ms: 42 },
          setup_ms: 310.3,
        },
        expect.objectContaining({
          answered: false,
          heard_by_pbx: { tone_hz: null, level_db: -120, loss: 1, delay_ms: null },
          setup_ms: null,
        }),
      ],
    });
  });
  it('text shows offsets from the first moment, and what was heard', () => {
    const text = textReport(call);
    expect(text).toMatch(/^A WhatsApp user calls the business: answered after 310 ms\n/);
    expect(text).toContain('      0 ms  bridge  webhook: connect (in)\n');
    expect(text).toContain('     43 ms  phone   hears the first sound\n');
    expect(text).toContain('the PBX heard   tone 620.4 Hz (played 620 Hz), level -9.1 dBFS, loss 1.1 %, delay 42 ms');
  });
});

describe('options', () => {
  it.each([
    ['10.0.0.5:5070', { host: '10.0.0.5', port: 5070 }],
    ['pbx.example', { host: 'pbx.example', port: 5060 }],
    ['pbx:0', null],
    ['pbx:70000', null],
    ['sip:pbx', null],
    ['', null],
  ])('--pbx %j', (text, expected) => expect(parsePbx(text)).toEqual(expected));
});

describe('configuration', () => {
  const make = (host: string) =>
    demoConfig({ identity: demoIdentity(), graphUrl: 'http://127.0.0.1:1', pbx: { host, port: 5060 } });
  it('listens on loopback alone while the PBX is on this machine', () => {
    const config = make('127.0.0.1');
    const hosts = [
      config.webhook.listen.host,
      config.admin.listen.host,
      config.media.listenIp,
      ...config.sip.listen.map(({ host }) => host),
    ];
    expect(new Set(hosts)).toEqual(new Set(['127.0.0.1']));
    expect(config.media.remoteNetworks).toEqual(['127.0.0.0/8']);
  });
  it('opens SIP and RTP, and nothing else, to a PBX elsewhere; WhatsApp media stays on loopback', () => {
    const config = make('192.0.2.10');
    expect(config.sip.listen[0]!.host).toBe('0.0.0.0');
    expect([config.webhook.listen.host, config.admin.listen.host]).toEqual(['127.0.0.1', '127.0.0.1']);
    expect(config.media.remoteNetworks).toEqual(['127.0.0.0/8']);
    expect(config.trunks[0]!.acceptFrom).toEqual(['192.0.2.10/32']);
  });
  it('has ports below the ephemeral range and fresh secrets', () => {
    const config = make('127.0.0.1');
    for (const [first, last] of [config.media.rtpPorts, config.media.webrtcPorts]) {
      expect(first).toBeGreaterThanOrEqual(10_000);
      expect(last).toBeLessThan(32_768);
    }
    expect(demoIdentity().accessToken).not.toBe(demoIdentity().accessToken);
  });
});

it('the log keeps warnings and errors for the case of failure', () => {
  const log = new DemoLog();
  expect(log.troubles()).toBe('');
  log
    .logger()
    .child({ call: 'c1' })
    .error('went wrong', { err: new Error('why'), n: 1 });
  log.logger().info('all well');
  expect(log.troubles()).toContain('error: went wrong why {"call":"c1","n":1}');
  expect(log.troubles()).not.toContain('all well');
});
