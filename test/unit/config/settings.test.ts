import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load-config.js';
import { formatIssue } from '../../../src/config/issue.js';
import { configOf, errorsOf, warningsOf, working } from './load.js';

const nowMs = Date.parse('2026-11-22T12:00:00Z');

/** A file whose first number has these lines under `calling`. */
const file = (lines: readonly string[], top: readonly string[] = []): string =>
  working({ number: ['settings:', '  calling:', ...lines.map((line) => `    ${line}`)], top: [...top] });

/** `calling` begins here. */
const FIRST = 13;

const shortened = (text: string): string => text.replace('numbers[0].settings.calling.', '');

const hours = (weekly: string, more = ''): string[] => [
  'call_hours:',
  '  status: ENABLED',
  '  timezone_id: America/Manaus',
  `  weekly_operating_hours: [${weekly}]`,
  ...(more === '' ? [] : [`  holiday_schedule: [${more}]`]),
];
const monday = (open: string, close: string): string =>
  `{ day_of_week: MONDAY, open_time: ${open}, close_time: ${close} }`;

describe('settings of a number: what is refused, with place and cure', () => {
  it.each<[string, readonly string[], string]>([
    ['a status', ['status: ON'], '13:17: status: must be one of ENABLED | DISABLED; write one of them'],
    [
      'a word with a blank',
      ['call_icon_visibility: DISABLE ALL'],
      '13:31: call_icon_visibility: must be one of DEFAULT | DISABLE_ALL; did you mean DISABLE_ALL?',
    ],
    [
      'a key',
      ['call_icon_visability: DEFAULT'],
      '13:9: call_icon_visability: unknown key call_icon_visability; did you mean call_icon_visibility?',
    ],
    [
      'a country',
      ['call_icons: { restrict_to_user_countries: [br] }'],
      '13:52: call_icons.restrict_to_user_countries[0]: must be a country; write its two letters (ISO 3166), in capitals and in quotes: "BR"',
    ],
    [
      'a codec',
      ['audio: { additional_codecs: [G729] }'],
      '13:38: audio.additional_codecs[0]: must be one of PCMA | PCMU; write one of them',
    ],
    [
      'a zone',
      hours(monday('"0900"', '"1700"')).map((line) => line.replace('Manaus', 'Manaos')),
      '15:24: call_hours.timezone_id: must be a time zone; did you mean America/Manaus?',
    ],
    [
      'a zone that Node takes and Meta does not',
      hours(monday('"0900"', '"1700"')).map((line) => line.replace('America/Manaus', 'america/manaus')),
      '15:24: call_hours.timezone_id: must be a time zone; did you mean America/Manaus?',
    ],
    [
      'a zone that is none by far',
      hours(monday('"0900"', '"1700"')).map((line) => line.replace('America/Manaus', 'GMT-4 (Manaus)')),
      '15:24: call_hours.timezone_id: must be a time zone; write its IANA name, for example America/Manaus',
    ],
    [
      'call hours without a zone',
      hours(monday('"0900"', '"1700"')).filter((line) => !line.includes('timezone_id')),
      '13:9: call_hours.timezone_id: is missing; add it',
    ],
    [
      'call hours without a week',
      ['call_hours: { status: DISABLED, timezone_id: UTC, holiday_schedule: [] }'],
      '13:9: call_hours.weekly_operating_hours: is missing; add it',
    ],
    [
      'a day',
      hours(monday('"0900"', '"1700"')).map((line) => line.replace('MONDAY', 'MON')),
      '16:51: call_hours.weekly_operating_hours[0].day_of_week: must be one of MONDAY | TUESDAY | WEDNESDAY | THURSDAY | FRIDAY | SATURDAY | SUNDAY; write one of them',
    ],
    [
      'a time',
      hours(monday('"9"', '"1700"')),
      '16:70: call_hours.weekly_operating_hours[0].open_time: must be a time of day; write four digits in quotes from "0000" to "2359"',
    ],
    [
      'an empty week',
      hours(''),
      '16:35: call_hours.weekly_operating_hours: needs at least one entry; add { day_of_week: MONDAY, open_time: "0900", close_time: "1700" }',
    ],
    [
      'opening that is closing',
      hours(monday('0900', '0900')),
      '16:88: call_hours.weekly_operating_hours[0].close_time: is the same as open_time; write a later time, or "0000" and "2359" for a whole day',
    ],
    [
      'hours that overlap',
      hours(`${monday('0900', '1700')}, ${monday('1600', '1800')}`),
      '16:96: call_hours.weekly_operating_hours[1]: overlaps entry 1 of the list on MONDAY; let one end before the other begins, or join them',
    ],
    [
      'a third entry of a day',
      hours(`${monday('0900', '1000')}, ${monday('1100', '1200')}, ${monday('1300', '1400')}`),
      '16:156: call_hours.weekly_operating_hours[2]: is one more than the 2 entries that Meta takes for MONDAY; join or remove one; hours past midnight count on both days',
    ],
    [
      'a third entry of a day by hours past midnight',
      hours(
        `${monday('2200', '0300')}, { day_of_week: TUESDAY, open_time: 0900, close_time: 1000 }, { day_of_week: TUESDAY, open_time: 1100, close_time: 1200 }`,
      ),
      '16:157: call_hours.weekly_operating_hours[2]: is one more than the 2 entries that Meta takes for TUESDAY; join or remove one; hours past midnight count on both days',
    ],
    [
      'a date',
      hours(monday('0900', '1700'), '{ date: 2027-02-30, start_time: 0000, end_time: 2359 }'),
      '17:38: call_hours.holiday_schedule[0].date: must be a date; write it as "2027-01-01"',
    ],
    [
      'a holiday that ends before it begins',
      hours(monday('0900', '1700'), '{ date: 2027-01-01, start_time: 1200, end_time: 1100 }'),
      '17:78: call_hours.holiday_schedule[0].end_time: is not after the beginning; write a later time of that day',
    ],
    [
      'a holiday that is closed all day, by its times',
      hours(monday('0900', '1700'), '{ date: 2027-01-01, start_time: 0000, end_time: "00:00" }'),
      '17:78: call_hours.holiday_schedule[0].end_time: is the same as the beginning: Meta has no word for a day that is closed; write when it is open; the least is start_time: "0000", end_time: "0001"',
    ],
    [
      'a holiday that is closed all day, by none',
      hours(monday('0900', '1700'), '{ date: 2027-01-01 }'),
      '17:30: call_hours.holiday_schedule[0]: has no times: Meta has no word for a day that is closed; write when it is open; the least is start_time: "0000", end_time: "0001"',
    ],
    [
      'a holiday without times',
      hours(monday('0900', '1700'), '{ date: 2027-01-01, end_time: 2359 }'),
      '17:30: call_hours.holiday_schedule[0].start_time: is missing; add it',
    ],
    [
      'a holiday that stands twice',
      hours(
        monday('0900', '1700'),
        '{ date: 2027-01-01, start_time: 0000, end_time: 1100 }, { date: 2027-01-01, start_time: 1200, end_time: 1300 }',
      ),
      '17:94: call_hours.holiday_schedule[1].date: stands here twice; keep one of the two',
    ],
    [
      'more than 20 holidays',
      hours(
        monday('0900', '1700'),
        Array.from(
          { length: 21 },
          (_, day) => `{ date: 2027-01-${String(day + 1).padStart(2, '0')}, start_time: 0000, end_time: 2359 }`,
        ).join(', '),
      ),
      '17:1150: call_hours.holiday_schedule[20]: is one more than the 20 holidays that Meta keeps; remove those that are furthest away',
    ],
    [
      'SIP on a number of webhooks',
      ['sip: { status: ENABLED, servers: [{ hostname: pbx.example.com }] }'],
      '13:24: sip.status: would stop Graph calls and call webhooks of this number, which signaling: graph relies on; write DISABLED, or leave it out',
    ],
    [
      'a SIP server by its address',
      ['sip: { servers: [{ hostname: 192.0.2.1 }] }'],
      '13:38: sip.servers[0].hostname: is an address, and Meta takes names only; write its host name, or settings.push: off if Meta is not to know it',
    ],
    [
      'two SIP servers',
      ['sip: { servers: [{ hostname: a.example.com }, { hostname: b.example.com }] }'],
      '13:55: sip.servers[1]: is one more than the server that Meta keeps for a number; keep one, or make them a trunk',
    ],
    [
      'parameters that are too long',
      [`sip: { servers: [{ hostname: a.example.com, request_uri_user_params: { tgrp: ${'x'.repeat(129)} } }] }`],
      '13:78: sip.servers[0].request_uri_user_params: must be a block of KEY: VALUE, each text without blanks and ; = @; write for example { tgrp: whatsapp }, at most 128 characters each',
    ],
    [
      'a name of a parameter that is too long',
      [`sip: { servers: [{ hostname: a.example.com, request_uri_user_params: { ${'x'.repeat(129)}: a } }] }`],
      '13:78: sip.servers[0].request_uri_user_params: must be a block of KEY: VALUE, each text without blanks and ; = @; write for example { tgrp: whatsapp }, at most 128 characters each',
    ],
    [
      'the host of a SIP server',
      ['sip: { servers: [{ hostname: "https://a.example.com" }] }'],
      '13:38: sip.servers[0].hostname: must be a host name or an IP address; write it without port and without brackets',
    ],
    [
      'the port of a SIP server',
      ['sip: { servers: [{ hostname: a.example.com, port: 70000 }] }'],
      '13:59: sip.servers[0].port: must be a port; write a number from 1 to 65535',
    ],
    [
      'webhooks of SIP mode',
      ['sip: { webhook_delivery: enable }'],
      '13:34: sip.webhook_delivery: must be one of ENABLED | DISABLED; did you mean ENABLED?',
    ],
    [
      'leave to call back',
      ['callback_permission_status: yes'],
      '13:37: callback_permission_status: must be one of ENABLED | DISABLED; write one of them',
    ],
    [
      'keys of SRTP',
      ['srtp_key_exchange_protocol: dtls-srtp'],
      '13:37: srtp_key_exchange_protocol: must be one of DTLS | SDES; write one of them',
    ],
    [
      'SDES without SIP',
      ['srtp_key_exchange_protocol: SDES'],
      '13:37: srtp_key_exchange_protocol: SDES needs SIP: sip.status is not ENABLED; write DTLS, or leave it out',
    ],
    [
      'voicemail without triggers',
      ['voicemail: { status: ENABLED }'],
      '13:9: voicemail.triggers: needs at least one; write [REJECT], [TIMEOUT] or both',
    ],
    [
      'a trigger of voicemail',
      ['voicemail: { status: ENABLED, triggers: [TIME OUT] }'],
      '13:50: voicemail.triggers[0]: must be one of REJECT | TIMEOUT; did you mean TIMEOUT?',
    ],
    [
      'the time of voicemail',
      ['voicemail: { triggers: [TIMEOUT], audio: { default: { timeout_seconds: 31 } } }'],
      '13:80: voicemail.audio.default.timeout_seconds: must be a whole number; write a number from 0 to 30',
    ],
    [
      'the announcement of voicemail',
      ['voicemail: { audio: { default: { announcement_media_id: hello.ogg } } }'],
      '13:65: voicemail.audio.default.announcement_media_id: must be the id of an uploaded file; write the digits Meta gave for it, in quotes',
    ],
    [
      'voicemail by time without a time',
      ['voicemail: { status: DISABLED, triggers: [TIMEOUT] }'],
      '13:9: voicemail.audio.default.timeout_seconds: is needed for the trigger TIMEOUT; write 0 to 30',
    ],
  ])('%s', (_, lines, expected) => {
    expect(errorsOf(file(lines)).map(shortened)).toEqual([`c.yaml:${expected}`]);
  });

  it('the number itself for its id', () => {
    const text = file(['status: ENABLED']).replace(/id: "\d+"/, 'id: "15551112222"');
    expect(errorsOf(text)).toEqual([
      "c.yaml:7:9: numbers[0].id: is the number itself, not Meta's id of it; its phone_number_id stands in the App Dashboard under WhatsApp > API Setup, and in WhatsApp Manager",
    ]);
  });

  it('of 21 holidays one that has passed does not count', () => {
    const dates = ['2020-01-01', ...Array.from({ length: 20 }, (_, day) => `2127-01-${String(day + 11)}`)];
    const list = dates.map((date) => `{ date: ${date}, start_time: 0000, end_time: 2359 }`).join(', ');
    expect(errorsOf(file(hours(monday('0900', '1700'), list)))).toEqual([]);
  });

  it('all mistakes in one run', () => {
    const lines = [
      'status: ON',
      'call_icon_visibility: NONE',
      ...hours(monday('0900', '0900')),
      'voicemail: { status: ENABLED }',
    ];
    expect(errorsOf(file(lines))).toHaveLength(4);
  });
});

describe('settings of a number: what is warned of', () => {
  const warnings = (text: string): string[] => {
    const result = loadConfig({ file: 'c.yaml', env: {}, readFile: () => ({ text, mode: 0o600 }), nowMs });
    if (!result.ok) throw new Error(JSON.stringify(result.errors));
    return result.warnings.map((issue) => shortened(formatIssue(issue, 'warning')));
  };
  const off = ['settings: { push: off }'];

  it.each([
    ['2026-11-21', true],
    ['2026-11-22', false],
  ])('a holiday that has passed in the zone of the number (%s)', (date, isPast) => {
    const text = file(hours(monday('0900', '1700'), `{ date: ${date}, start_time: 0000, end_time: 2359 }`), off);
    const expected =
      'c.yaml:17:38: warning: call_hours.holiday_schedule[0].date: has passed, so it is left out of what Meta is told; remove it, or write the next one';
    expect(warnings(text)).toEqual(isPast ? [expected] : []);
  });

  it('what only Meta writes', () => {
    const text = file(
      [
        'restrictions: {}',
        'sip: { servers: [{ hostname: a.example.com, port: 5060, app_id: 1, sip_user_password: x }] }',
      ],
      off,
    );
    expect(warnings(text).map((line) => line.replace(/: is Meta's.*/, ''))).toEqual([
      `c.yaml:${FIRST}:9: warning: restrictions`,
      `c.yaml:${FIRST + 1}:65: warning: sip.servers[0].app_id`,
      `c.yaml:${FIRST + 1}:76: warning: sip.servers[0].sip_user_password`,
    ]);
    expect(JSON.stringify(configOf(text).numbers[0]?.settings)).not.toMatch(/restrictions|app_id|sip_user_password/);
  });

  it('holidays left out, where Meta is told: it deletes what is not sent', () => {
    const lines = hours(monday('0900', '1700'));
    expect(warnings(file(lines))).toEqual([
      'c.yaml:13:9: warning: call_hours.holiday_schedule: is left out: Meta deletes its holidays with any change of the hours, so what it holds is sent back; write the holidays, or [] for none',
    ]);
    expect(warnings(file(lines, off))).toEqual([]);
    expect(warnings(file([...lines, '  holiday_schedule: []']))).toEqual([]);
  });

  it('voicemail beside call hours', () => {
    const lines = [...hours(monday('0900', '1700')), 'voicemail: { status: ENABLED, triggers: [REJECT] }'];
    expect(warnings(file(lines, off))).toEqual([
      'c.yaml:17:30: warning: voicemail.status: is advised against by Meta while call_hours are ENABLED: outside them nobody can leave a message; write call_hours.status: DISABLED, or no voicemail',
    ]);
  });
});

describe('settings of a number: what is wanted of Meta', () => {
  it('is what the file says and nothing else', () => {
    expect(configOf(file(['callback_permission_status: ENABLED'])).numbers[0]?.settings).toEqual({
      callback_permission_status: 'ENABLED',
    });
    expect(configOf(working()).numbers[0]?.settings).toBeUndefined();
    expect(configOf(file(['sip: { status: DISABLED }'])).numbers[0]?.settings).toEqual({ sip: { status: 'DISABLED' } });
    const servers = ['sip: { servers: [{ hostname: pbx.example.com }] }'];
    expect(configOf(file(servers)).numbers[0]?.settings).toEqual({
      sip: { servers: [{ hostname: 'pbx.example.com' }] },
    });
  });

  it('ids are text, quoted or not', () => {
    const lines = (id: string) => [`voicemail: { audio: { default: { announcement_media_id: ${id} } } }`];
    for (const id of ['12345678901234567890', '"12345678901234567890"']) {
      const audio = { default: { announcement_media_id: '12345678901234567890' } };
      expect(configOf(file(lines(id))).numbers[0]?.settings).toEqual({ voicemail: { audio } });
    }
  });

  it('a list of servers that Meta would not take is none of its settings where nothing is pushed', () => {
    const off = ['settings: { push: off }'];
    const settingsOf = (...hosts: string[]): unknown => {
      const servers = hosts.map((hostname) => `{ hostname: ${hostname}, port: 5060 }`).join(', ');
      return configOf(file(['status: ENABLED', `sip: { servers: [${servers}] }`], off)).numbers[0]?.settings;
    };
    expect(settingsOf('192.0.2.1')).toEqual({ status: 'ENABLED', sip: {} });
    expect(settingsOf('a.example.com', 'b.example.com')).toEqual({ status: 'ENABLED', sip: {} });
    expect(settingsOf('a.example.com')).toMatchObject({
      sip: { servers: [{ hostname: 'a.example.com', port: 5060 }] },
    });
  });

  it('times are HHMM however they are written, and hours past midnight are split', () => {
    const lines = hours(
      `${monday('0400', '10:20')}, { day_of_week: SUNDAY, open_time: "22:00", close_time: 0300 }`,
      '{ date: 2127-01-01, open_time: 00:00, close_time: 2359 }',
    );
    expect(configOf(file(lines)).numbers[0]?.settings?.call_hours).toEqual({
      status: 'ENABLED',
      timezone_id: 'America/Manaus',
      weekly_operating_hours: [
        { day_of_week: 'MONDAY', open_time: '0400', close_time: '1020' },
        { day_of_week: 'SUNDAY', open_time: '2200', close_time: '2359' },
        { day_of_week: 'MONDAY', open_time: '0000', close_time: '0300' },
      ],
      holiday_schedule: [{ date: '2127-01-01', start_time: '0000', end_time: '2359' }],
    });
  });

  it('servers by their address are a trunk where Meta is not told of them', () => {
    expect(
      errorsOf(file(['sip: { servers: [{ hostname: 192.0.2.1, port: 5060 }] }'], ['settings: { push: off }'])),
    ).toEqual([]);
    expect(
      warningsOf(file(['sip: { servers: [{ hostname: 192.0.2.1, port: 5060 }] }'], ['settings: { push: off }'])),
    ).toEqual([]);
  });
});
