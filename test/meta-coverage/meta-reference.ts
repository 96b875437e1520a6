/*
 * Which test carries which field of Meta's calling reference, as it stands in test/fixtures/meta-reference. A row says what is
 * carried, by the path it has there or by the name the reference's prose gives it, and `as` where a test has another word for
 * it. test/unit/meta-coverage/meta-reference.test.ts holds this table against the fixtures and the tests.
 */

import { carry, type Row } from './row.js';

const fields = 'test/unit/meta-coverage/meta-fields.test.ts';
const parse = 'test/unit/whatsapp/webhook-parse.test.ts';
const graph = 'test/component/whatsapp/graph-client.test.ts';
const sandbox = 'test/component/sandbox/graph.test.ts';
const samples = 'test/component/sandbox/meta-requests.test.ts';
const rules = 'test/unit/config/rules.test.ts';
const gate = 'test/unit/whatsapp/permissions/permission-gate.test.ts';
const profile = 'test/unit/sdp/whatsapp-profile.test.ts';

const value = 'entry[].changes[].value';
const call = `${value}.calls[]`;
const status = `${value}.statuses[]`;
const message = `${value}.messages[]`;
const reply = `${message}.interactive.call_permission_reply`;
const error = `${value}.errors[]`;
const limit = 'actions[].limits[]';
const hours = 'calling.call_hours';
const sip = 'calling.sip';

const isRead = '%s: %s is read';
const mayBeMissing = '%s: %s may be missing: %s';

const settings: readonly Row[] = [
  ...carry(
    'settings',
    sandbox,
    'are merged at the top level; call_hours is replaced whole, an omitted holiday schedule is gone',
    'calling.callback_permission_status',
    `${hours}.status`,
    `${hours}.timezone_id`,
    `${hours}.weekly_operating_hours[].day_of_week`,
    `${hours}.weekly_operating_hours[].open_time`,
    `${hours}.weekly_operating_hours[].close_time`,
    `${hours}.holiday_schedule[].date`,
    `${hours}.holiday_schedule[].start_time`,
    `${hours}.holiday_schedule[].end_time`,
    ['holiday_schedule left out is deleted', 'holiday_schedule'],
  ),
  ...carry('settings', rules, 'take both forms of a time, quoted or not, as HHMM', ['times with a colon', '10:20']),
  ...carry(
    'settings',
    sandbox,
    'show SIP passwords only when asked, keep servers when SIP is switched off',
    `${sip}.status`,
    `${sip}.servers[].hostname`,
    `${sip}.servers[].port`,
    `${sip}.servers[].sip_user_password`,
    'include_sip_credentials',
  ),
  ...carry(
    'settings',
    'test/component/sandbox/settings.test.ts',
    'request_uri_user_params are kept as they are, keys and values of at most 128 characters',
    `${sip}.servers[].request_uri_user_params.KEY1`,
    `${sip}.servers[].request_uri_user_params.KEY2`,
  ),
  ...carry('settings', rules, 'without a trunk, its SIP servers are the trunk', [
    'sip.servers as what the PBX side is told',
    'request_uri_user_params',
  ]),
  ...carry(
    'settings',
    'test/component/sandbox/settings.test.ts',
    'call_icon_visibility is DEFAULT or DISABLE_ALL, and read back',
    'calling.call_icon_visibility',
    ['call_icon_visibility: DEFAULT', 'DEFAULT'],
    ['call_icon_visibility: DISABLE_ALL', 'DISABLE_ALL'],
  ),
  ...carry(
    'settings',
    'test/component/sandbox/settings.test.ts',
    'calling.status switches calling off and on again',
    'calling.status',
    ['status: ENABLED', 'ENABLED'],
    ['status: DISABLED', 'DISABLED'],
  ),
  ...carry('settings', 'test/component/sandbox/settings.test.ts', 'holiday_schedule takes 20 overrides and no more', [
    'up to 20 overrides',
    'holiday_schedule',
  ]),
  ...carry(
    'settings',
    sandbox,
    '%s: 100, and nothing is changed',
    ['error: a date of call_hours is a past date', 'past date'],
    ['error: weekly_operating_hours cannot be empty', 'cannot be empty'],
    ['error: holiday_schedule is invalid', 'invalid'],
    ['error: weekly_operating_hours overlap', 'overlap'],
    ['error: more than 2 entries a day', 'more than 2'],
    ['error: time zone', 'timezone_id'],
  ),
  ...carry('settings', samples, '%s', ['POST /<PHONE_NUMBER_ID>/settings', 'PHONE_NUMBER_ID'], ['success', 'success']),
  ...carry('settings', sandbox, 'a number in SIP mode: 131055', ['sip ENABLED closes the calls endpoint', 'sip']),
];

const callsEndpoint: readonly Row[] = [
  ...carry(
    'calls endpoint',
    graph,
    'connect',
    'messaging_product',
    'to',
    'action',
    'session.sdp',
    'session.sdp_type',
    ['action: connect', 'connect'],
    ['sdp_type: offer', 'offer'],
    ['POST <PHONE_NUMBER_ID>/calls', '/calls'],
    ['biz_opaque_callback_data', 'opaque'],
  ),
  ...carry(
    'calls endpoint',
    graph,
    'pre_accept and accept',
    ['call_id', 'waCallId'],
    ['action: pre_accept', 'preAccept'],
    ['action: accept', 'accept'],
  ),
  ...carry(
    'calls endpoint',
    graph,
    'reject and terminate',
    ['action: reject', 'reject'],
    ['action: terminate', 'terminate'],
  ),
  ...carry('calls endpoint', graph, 'reads Meta’s sample answers', ['calls[].id', 'connect-response']),
  ...carry('calls endpoint', graph, 'connect, accept and terminate', ['cURL samples', 'curl-']),
  ...carry(
    'calls endpoint',
    'test/unit/whatsapp/user-initiated-leg.test.ts',
    'pre-accepts, starts media, accepts with the same SDP and sends only after the 200',
    ['sdp_type: answer', 'answer'],
  ),
  ...carry(
    'calls endpoint',
    sandbox,
    '%s: HTTP %i, code %i',
    ['biz_opaque_callback_data: at most 512 characters', '512'],
    ['error: invalid phone number', 'phone number'],
    ['error: invalid SDP', 'no fingerprint found'],
    ['error: action', 'no such action'],
  ),
  ...carry('calls endpoint', sandbox, 'another number %s: 100, subcode 33', ['error: invalid phone-number-id', '33']),
  ...carry('calls endpoint', sandbox, '%s on an ended call, and on no call: 100', [
    'error: invalid call-id',
    'wacid.nothing',
  ]),
  ...carry('calls endpoint', sandbox, 'accept with another SDP than pre_accept: 100', [
    'error: SDP differs from that of pre_accept',
    'pre_accept',
  ]),
  ...carry('calls endpoint', graph, '%s of a call that is over is success', [
    'error: call already in progress, completed or failed',
    'over',
  ]),
  ...carry('calls endpoint', sandbox, 'no permission: 401, 138006', [
    'error: no permission to call the user',
    '138006',
  ]),
  ...carry(
    'calls endpoint',
    'test/property/bridge/event-order.test.ts',
    'end every call once on both sides, with one record, and leave nothing behind',
    ['terminate is posted whatever RTCP said', 'end every call once'],
  ),
  ...carry(
    'calls endpoint',
    samples,
    '%s',
    ['connection.webrtc.sdp', 'curl-connect-legacy-request'],
    ['Authorization, Content-Type', 'at.post'],
  ),
];

const permissions: readonly Row[] = [
  ...carry(
    'call_permissions',
    fields,
    '%s is read',
    'permission.status',
    'permission.expiration_time',
    'actions[].action_name',
    'actions[].can_perform_action',
    `${limit}.time_period`,
    `${limit}.max_allowed`,
    `${limit}.current_usage`,
    ['status: permanent', 'permanent'],
    ['status: no_permission', 'no_permission'],
  ),
  ...carry('call_permissions', fields, 'limit_expiration_time is read', `${limit}.limit_expiration_time`, [
    'start_call',
    'start_call',
  ]),
  ...carry('call_permissions', fields, 'expiration is read where expiration_time is missing', [
    'expiration',
    'expiration',
  ]),
  ...carry(
    'call_permissions',
    gate,
    'believes a permanent permission for max_age, and a temporary one not beyond its end',
    ['status: temporary', 'temporary'],
  ),
  ...carry('call_permissions', gate, 'Meta lets nobody be asked: 403 with the time when it does', [
    'send_call_permission_request: can_perform_action false',
    'limit_expiration_time',
  ]),
  ...carry(
    'call_permissions',
    gate,
    'a limit of Meta’s: 403 with the time when it ends, from memory too, and asked again then',
    ['start_call: can_perform_action false', 'limit_expiration_time'],
  ),
  ...carry(
    'call_permissions',
    gate,
    'our own limits hold where Meta says nothing: once a day, twice a week, anew when the two have talked',
    ['limits: 1 request in 24 hours, 2 in 7 days', 'twice a week'],
  ),
  ...carry(
    'call_permissions',
    'test/component/cli/permissions.test.ts',
    'a table of what Meta says, number by its %s',
    ['GET /<PHONE_NUMBER_ID>/call_permissions', 'call_permissions'],
    'user_wa_id',
  ),
];

const webhooks: readonly Row[] = [
  ...carry('webhook envelope', fields, mayBeMissing, 'object', 'entry[].id', `${value}.messaging_product`),
  ...carry(
    'webhook envelope',
    fields,
    isRead,
    'entry[].changes[].field',
    `${value}.metadata.phone_number_id`,
    `${value}.metadata.display_phone_number`,
  ),
  ...carry(
    'connect webhook',
    fields,
    isRead,
    `${value}.contacts[].profile.name`,
    `${value}.contacts[].wa_id`,
    `${call}.id`,
    `${call}.to`,
    `${call}.from`,
    `${call}.event`,
    `${call}.timestamp`,
    `${call}.direction`,
    `${call}.session.sdp`,
    `${call}.session.sdp_type`,
    ['direction: USER_INITIATED', 'USER_INITIATED'],
    ['event: terminate', 'terminate'],
  ),
  ...carry(
    'connect webhook',
    fields,
    'connection.webrtc.sdp is read where there is no session',
    `${call}.connection.webrtc.sdp`,
  ),
  ...carry('connect webhook', parse, 'takes the direction from who offers when it is missing', [
    'direction: BUSINESS_INITIATED',
    'business_connect',
  ]),
  ...carry('connect webhook', parse, 'reads a user-initiated connect with all its fields', [
    'event: connect',
    'user_connect',
  ]),
  ...carry(
    'status webhook',
    fields,
    isRead,
    `${status}.id`,
    `${status}.timestamp`,
    `${status}.status`,
    `${status}.recipient_id`,
    `${status}.biz_opaque_callback_data`,
    ['status: ACCEPTED', 'ACCEPTED'],
  ),
  ...carry('status webhook', fields, mayBeMissing, `${status}.type`),
  ...carry(
    'status webhook',
    'test/unit/whatsapp/meta-reference.test.ts',
    '%s is understood',
    ['status: RINGING', 'RINGING'],
    ['status: REJECTED', 'REJECTED'],
  ),
  ...carry(
    'terminate webhook',
    fields,
    isRead,
    `${call}.biz_opaque_callback_data`,
    `${call}.status`,
    [`${call}.status[]`, 'status[]'],
    `${call}.start_time`,
    `${call}.end_time`,
    `${call}.duration`,
    `${error}.code`,
    `${error}.message`,
    `${error}.error_data.details`,
    ['status: FAILED', 'FAILED'],
    ['status: COMPLETED', 'COMPLETED'],
  ),
  ...carry('terminate webhook', fields, mayBeMissing, `${error}.href`),
  ...carry(
    'permission reply',
    fields,
    isRead,
    `${message}.from`,
    `${message}.id`,
    `${message}.timestamp`,
    `${message}.context.id`,
    `${reply}.response`,
    `${reply}.is_permanent`,
    `${reply}.expiration_timestamp`,
    `${reply}.response_source`,
    ['response: reject', 'reject'],
    ['response_source: automatic', 'automatic'],
  ),
  ...carry('permission reply', fields, mayBeMissing, `${message}.context.from`, `${message}.interactive.type`),
  ...carry(
    'permission reply',
    'test/unit/whatsapp/meta-reference.test.ts',
    '%s is understood',
    ['response: accept', 'accept'],
    ['response_source: user_action', 'user_action'],
    ['context.id: id of the call', 'wacid.gBGGFlaCmZ9plHrf2Mh-o'],
  ),
  ...carry(
    'permission reply',
    'test/e2e/permissions.test.ts',
    'ask: 480 when the user was asked; the answer by webhook, and the next call goes through',
    ['context.id: id of the request', 'wamid.'],
  ),
];

const descriptions: readonly Row[] = [
  ...carry('session description', profile, 'reads its answer of a business-initiated call, legacy codecs and all', [
    'answer to a business-initiated offer',
    'business-initiated-answer-from-meta',
  ]),
  ...carry('session description', profile, 'reads its offer of a user-initiated call', [
    'offer of a user-initiated call',
    'user-initiated-offer-from-meta',
  ]),
  ...carry('session description', profile, 'answers in the form of the sample answer', [
    'answer to a user-initiated call',
    'sample answer',
  ]),
  ...carry('session description', profile, 'is actpass with payload types 111 and 126', [
    'offer of a business-initiated call',
    'actpass',
  ]),
];

export const metaReference: readonly Row[] = [
  ...settings,
  ...callsEndpoint,
  ...permissions,
  ...webhooks,
  ...descriptions,
];
