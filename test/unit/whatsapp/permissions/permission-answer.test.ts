import { describe, expect, it } from 'vitest';
import type { E164 } from '../../../../src/lib/ids.js';
import type { WaUserId } from '../../../../src/routing/user-address.js';
import type { GraphRequest } from '../../../../src/whatsapp/graph-request.js';
import { GraphPermissions } from '../../../../src/whatsapp/permissions/graph-permissions.js';
import {
  freeAtMs,
  periodText,
  permissionAnswerSchema,
  remaining,
} from '../../../../src/whatsapp/permissions/permission-answer.js';
import { requestMessage } from '../../../../src/whatsapp/permissions/permission-api.js';
import { metaFixture } from '../../../support/fixtures.js';

const number = { number: '+13057765456' as E164 };
const byId = { userId: 'US.13491208655302741918' as WaUserId };

describe('an answer of call_permissions', () => {
  it('Meta’s sample, whole', () => {
    const answer = permissionAnswerSchema.parse(metaFixture('call-permissions-response.json'));
    expect(answer).toEqual({
      status: 'temporary',
      statusText: 'temporary',
      expiresAtMs: 1_745_343_479_000,
      actions: new Map([
        [
          'send_call_permission_request',
          {
            can: true,
            limits: [
              { period: 'PT24H', max: 1, used: 0, endsAtMs: undefined },
              { period: 'P7D', max: 2, used: 1, endsAtMs: undefined },
            ],
          },
        ],
        ['start_call', { can: false, limits: [{ period: 'PT24H', max: 5, used: 5, endsAtMs: 1_745_622_600_000 }] }],
      ]),
    });
    const [ask, start] = [...answer.actions.values()];
    expect([ask && remaining(ask), ask && freeAtMs(ask)]).toEqual([1, undefined]);
    expect([start && remaining(start), start && freeAtMs(start)]).toEqual([0, 1_745_622_600_000]);
  });

  it.each([
    ['the name of the parameter table', { status: 'temporary', expiration: 1_745_343_479 }, 1_745_343_479_000],
    ['a string', { status: 'temporary', expiration_time: '1745343479' }, 1_745_343_479_000],
    ['milliseconds', { status: 'temporary', expiration_time: 1_745_343_479_000 }, 1_745_343_479_000],
    ['both names', { status: 'temporary', expiration_time: 1_745_343_479, expiration: 5 }, 1_745_343_479_000],
    ['no time at all', { status: 'temporary', expiration_time: 'soon' }, undefined],
    ['nothing, as of a permanent one', { status: 'permanent' }, undefined],
  ])('its end: %s', (_, permission, expiresAtMs) => {
    expect(permissionAnswerSchema.parse({ permission }).expiresAtMs).toBe(expiresAtMs);
  });

  it.each([
    ['TEMPORARY', 'temporary'],
    ['Permanent', 'permanent'],
    ['no_permission', 'no_permission'],
    ['expired', 'no_permission'],
    [undefined, 'no_permission'],
    [7, 'no_permission'],
  ])('status %s counts as %s', (status, read) => {
    expect(permissionAnswerSchema.parse({ permission: { status } }).status).toBe(read);
  });

  it('numbers and flags as strings; what cannot be read is as if it were not there', () => {
    const limit = {
      time_period: 'PT24H',
      max_allowed: '5',
      current_usage: 'many',
      limit_expiration_time: '1745622600',
    };
    const { actions } = permissionAnswerSchema.parse({
      permission: {},
      actions: [
        { action_name: 'start_call', can_perform_action: 'false', limits: [limit, 'x', {}] },
        { action_name: 'fly', can_perform_action: 'maybe' },
        { can_perform_action: true },
        null,
      ],
    });
    expect([...actions]).toEqual([
      [
        'start_call',
        {
          can: false,
          limits: [
            { period: 'PT24H', max: 5, used: undefined, endsAtMs: 1_745_622_600_000 },
            { period: '', max: undefined, used: undefined, endsAtMs: undefined },
          ],
        },
      ],
    ]);
  });

  it.each([[{}], [{ permission: 'temporary' }], [[]], ['no_permission'], [null]])('%j is none', (json) => {
    expect(permissionAnswerSchema.safeParse(json).success).toBe(false);
  });

  it.each([
    ['PT24H', '24 hours'],
    ['PT1H', '1 hour'],
    ['P7D', '7 days'],
    ['P1D', '1 day'],
    ['P1M', 'P1M'],
    ['PT7D', 'PT7D'],
  ])('period %s: %s', (period, text) => {
    expect(periodText(period)).toBe(text);
  });
});

describe('requests to Meta', () => {
  const recorded = (answer: unknown) => {
    const seen: GraphRequest<unknown>[] = [];
    const request = <Answer>(one: GraphRequest<Answer>): Promise<Answer> => {
      seen.push(one);
      return Promise.resolve(one.answer.parse(answer));
    };
    return { seen, permissions: new GraphPermissions({ request }) };
  };

  it.each([
    [number, { user_wa_id: '13057765456' }],
    [byId, { recipient: 'US.13491208655302741918' }],
  ])('looks up %j by %j', async (user, query) => {
    const { seen, permissions } = recorded(metaFixture('call-permissions-response.json'));
    expect(await permissions.lookUp({ numberId: '1055', user })).toMatchObject({ status: 'temporary' });
    const what = { lane: 'other', method: 'GET', path: '1055/call_permissions', what: 'call_permissions' };
    expect(seen).toMatchObject([{ ...what, query, numberId: '1055' }]);
    expect(seen[0]?.body).toBeUndefined();
  });

  it.each([
    [number, { to: '13057765456' }],
    [byId, { recipient: 'US.13491208655302741918' }],
  ])('asks %j, free-form, as Meta’s page has it', async (user, named) => {
    const { seen, permissions } = recorded({ messages: [{ id: 'wamid.1' }] });
    const message = requestMessage({ requestText: 'May we?', requestTemplate: undefined, requestLanguage: 'en' });
    expect(await permissions.request({ numberId: '1055', user, message })).toBe('wamid.1');
    expect(seen).toMatchObject([{ lane: 'other', method: 'POST', path: '1055/messages' }]);
    expect(seen[0]?.body).toEqual({
      ...{ messaging_product: 'whatsapp', recipient_type: 'individual', ...named, type: 'interactive' },
      interactive: {
        type: 'call_permission_request',
        action: { name: 'call_permission_request' },
        body: { text: 'May we?' },
      },
    });
  });

  it('asks by a template when there is one', async () => {
    const { seen, permissions } = recorded({ messages: [{ id: 'wamid.1' }] });
    const message = requestMessage({ requestText: 'May we?', requestTemplate: 'call_me', requestLanguage: 'pt_BR' });
    await permissions.request({ numberId: '1055', user: number, message });
    expect(seen[0]?.body).toEqual({
      ...{ messaging_product: 'whatsapp', recipient_type: 'individual', to: '13057765456', type: 'template' },
      template: { name: 'call_me', language: { code: 'pt_BR' } },
    });
  });

  it('an answer that names no message is none', async () => {
    const { permissions } = recorded({ success: true });
    const message = { kind: 'text', text: 'May we?' } as const;
    await expect(permissions.request({ numberId: '1055', user: number, message })).rejects.toThrow();
  });
});
