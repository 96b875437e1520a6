import { z } from 'zod';

/*
 * What the admin API says and takes. The OpenAPI document is made of these, and tests hold the answers against them. Times are
 * ISO 8601 in UTC, durations milliseconds; users' numbers and ids are cut to their last digits, as in the log.
 */

/** By name, as in the OpenAPI document. */
export const components = z.registry<{ id: string; description?: string }>();

const named = <Schema extends z.ZodType>(id: string, description: string, schema: Schema): Schema => {
  components.add(schema, { id, description });
  return schema;
};

const time = z.iso.datetime().describe('ISO 8601, UTC');
const milliseconds = z.number().nonnegative().describe('Milliseconds');
const count = z.number().int().nonnegative();

export const callState = z.enum(['offered', 'dialing', 'alerting', 'answering', 'connected', 'ending', 'ended']);
export const logLevel = z.enum(['error', 'warn', 'info', 'debug']);

const leg = named(
  'Leg',
  'One side of a call; its state is one of RFC 4235.',
  z.strictObject({
    kind: z.enum(['whatsapp', 'sip']),
    state: z.enum(['trying', 'proceeding', 'early', 'confirmed', 'terminated']),
    waCallId: z.string().optional().describe('Meta’s id of the call'),
    sipCallId: z.string().optional().describe('Call-ID header'),
    remoteAddress: z.string().optional(),
    srtp: z.string().optional().describe('Crypto suite; absent for plain RTP'),
  }),
);

const level = z
  .number()
  .optional()
  .describe('Loudness in dBFS of what we hear; absent where audio is passed on without being decoded');

const direction = z.strictObject({
  packets: count,
  lost: z.number().int().optional(),
  jitterMs: z.number().optional(),
  mos: z.number().optional().describe('Estimated by the E-model, 1 to 4.5'),
  levelDbfs: level,
});

const quality = named(
  'Quality',
  'A leg’s audio over the last few seconds.',
  z.strictObject({
    codec: z.string(),
    received: direction.describe('From the far end to us'),
    sent: direction.describe('From us to the far end, as it reports'),
    roundTripMs: z.number().optional(),
  }),
);

const outcome = named(
  'Outcome',
  'Why a call ended.',
  z.strictObject({
    code: z.string(),
    result: z.string(),
    endedBy: z.enum(['a', 'b', 'bridge']),
    sipStatus: z.number().int(),
    q850: z.number().int(),
    metaCode: z.number().int().optional(),
    text: z.string().optional(),
  }),
);

const callFields = {
  call: z.string().describe('Our id of it'),
  direction: z.enum(['user_initiated', 'business_initiated']),
  state: callState,
  number: z.string().optional().describe('Name of the business number'),
  trunk: z.string().optional(),
  user: z.string().optional().describe('The WhatsApp user, to the last digits'),
  userId: z.string().optional(),
  start: time,
  answer: time.optional(),
  end: time.optional(),
  durationMs: milliseconds.describe('Since the start, ringing included'),
  billsecMs: milliseconds.describe('Since the answer; 0 before it'),
  legs: z.strictObject({ a: leg, b: leg.optional() }).describe('a originated the call, b is dialled'),
  quality: z.strictObject({ whatsapp: quality.optional(), pbx: quality.optional() }),
  outcome: outcome.optional(),
};

export const call = named('Call', 'A call, live or recently ended.', z.strictObject(callFields));

export const step = named(
  'Step',
  'One step of a call’s timeline: `webhook.*`, `graph.*`, `sip.*`, `ice.connected`, `dtls.connected`, `media.*`, `call.*`.',
  z.strictObject({
    step: z.string(),
    at: time,
    sinceStartMs: milliseconds,
    detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  }),
);

const sample = named(
  'QualitySample',
  'How the audio of one side that we hear was at one time.',
  z.strictObject({
    side: z.enum(['whatsapp', 'pbx']),
    at: time,
    loss: z.number().min(0).max(1).describe('Share of packets lost'),
    jitterMs: z.number().optional(),
    mos: z.number().optional(),
    roundTripMs: z.number().optional(),
    levelDbfs: level,
  }),
);

export const callDetail = named(
  'CallDetail',
  'A call with its timeline, and its audio over time.',
  z.strictObject({ ...callFields, timeline: z.array(step), samples: z.array(sample) }),
);

const server = named(
  'TrunkServer',
  'A server of a trunk.',
  z.strictObject({
    server: z.string().describe('host:port'),
    health: z.enum(['up', 'down', 'unknown']),
    heldOff: z.boolean().describe('It asked for a pause, and is tried last'),
    registration: z
      .strictObject({ registered: z.boolean(), why: z.string().optional() })
      .optional()
      .describe('Of trunks that register'),
  }),
);

export const trunk = named(
  'Trunk',
  'A PBX or carrier.',
  z.strictObject({
    name: z.string(),
    state: z.enum(['up', 'down', 'unknown']).describe('up with one server'),
    servers: z.array(server),
    calls: count,
    limits: z.strictObject({
      calls: count,
      callsPerSecond: z.number().optional(),
      callsPerDay: z.number().optional(),
    }),
    codecs: z.array(z.string()),
    srtp: z.enum(['off', 'optional', 'required']),
    registers: z.boolean(),
    acceptFrom: z.array(z.string()).describe('Who may call in'),
  }),
);

export const number = named(
  'Number',
  'A WhatsApp business number.',
  z.strictObject({
    id: z.string().describe('Meta’s phone_number_id'),
    name: z.string(),
    number: z.string(),
    trunk: z.string().optional(),
    signaling: z.enum(['graph', 'sip']),
    permission: z.enum(['none', 'check', 'ask']),
    calls: count,
    calling: z.enum(['on', 'off', 'unmanaged']).describe('What the file wants Meta to hold'),
    settings: z.strictObject({
      state: z.enum(['in step', 'differs', 'unknown', 'unmanaged']),
      differing: z
        .array(z.strictObject({ path: z.string(), from: z.unknown(), to: z.unknown() }))
        .describe('What Meta holds, and what the file wants'),
    }),
    hours: z.strictObject({
      open: z.boolean(),
      why: z.string(),
      timezone: z.string().optional(),
      next: z
        .strictObject({ at: time, local: z.string(), state: z.enum(['open', 'closed']) })
        .optional()
        .describe('The next change within a year'),
    }),
  }),
);

export const drain = named(
  'Drain',
  'Whether new calls are taken.',
  z.strictObject({
    state: z.enum(['off', 'draining', 'stopping']).describe('stopping: the process ends once no call is left'),
    calls: count.describe('Calls that are left'),
    since: time.optional(),
    until: time.optional().describe('Calls that are left then are ended, if the process stops'),
  }),
);

const issue = z.strictObject({
  file: z.string(),
  line: count,
  column: count,
  key: z.string(),
  message: z.string(),
  cure: z.string(),
});

export const reload = named(
  'Reload',
  'What came of reading the configuration anew.',
  z.strictObject({
    ok: z.literal(true),
    file: z.string(),
    changed: z.array(z.string()).describe('Keys with a new value that is in use now'),
    restart: z.array(z.string()).describe('Keys whose new value needs a restart'),
    warnings: z.array(issue),
  }),
);

export const logLevels = named(
  'LogLevels',
  'What is logged.',
  z.strictObject({
    level: logLevel,
    configured: logLevel,
    until: time.optional().describe('When the configured level counts again'),
    calls: z.array(z.strictObject({ call: z.string(), level: logLevel, until: time.optional() })),
  }),
);

export const status = named(
  'Status',
  'The daemon.',
  z.strictObject({
    version: z.string(),
    node: z.string(),
    started: time,
    uptimeMs: milliseconds,
    ready: z.boolean(),
    checks: z.array(z.strictObject({ name: z.string(), ok: z.boolean(), detail: z.string().optional() })),
    calls: count,
    drain,
    reload: z
      .strictObject({ at: time, result: z.enum(['ok', 'refused']) })
      .optional()
      .describe('The last one since the start'),
  }),
);

export const problem = named(
  'Problem',
  'An error (RFC 9457).',
  z.looseObject({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    code: z.string(),
    detail: z.string().optional(),
  }),
);

export const drainRequest = z.strictObject({
  stop: z.boolean().default(false).describe('End the process once no call is left, or the drain timeout has passed'),
});

export const logLevelRequest = z.strictObject({
  level: logLevel.nullable().describe('null: back to the configured level, or no level of its own for the call'),
  call: z.string().optional().describe('For one call alone'),
  forMs: z.number().int().min(1_000).max(86_400_000).optional().describe('For this long; default: until a restart'),
});

export const captureRequest = z.strictObject({
  forMs: z
    .int()
    .min(0)
    .max(3_600_000)
    .default(10_000)
    .describe('How long a live call is recorded, if it does not end before; 0: only the SIP messages so far'),
});
export const capture = z.string().describe('A file of pcapng, as it grows');

export const nothing = z.strictObject({});
export const hangup = z.strictObject({ call: z.string() });
export const callsQuery = z.strictObject({
  state: z.enum(['live', 'ended', 'all']).default('live'),
  limit: z.coerce.number().int().min(1).max(1_000).default(100).describe('Most ended calls, the latest first'),
});
export const failuresQuery = z.strictObject({ limit: z.coerce.number().int().min(1).max(1_000).default(50) });

export type CallOut = z.infer<typeof call>;
export type CallDetailOut = z.infer<typeof callDetail>;
export type LegOut = z.infer<typeof leg>;
export type QualityOut = z.infer<typeof quality>;
export type TrunkOut = z.infer<typeof trunk>;
export type NumberOut = z.infer<typeof number>;
export type DrainOut = z.infer<typeof drain>;
export type ReloadOut = z.infer<typeof reload>;
export type LogLevelsOut = z.infer<typeof logLevels>;
export type LogLevelRequest = z.infer<typeof logLevelRequest>;
export type CaptureRequest = z.infer<typeof captureRequest>;
export type StatusOut = z.infer<typeof status>;
export type StepOut = z.infer<typeof step>;
export type CallsQuery = z.infer<typeof callsQuery>;
