import { z } from 'zod';

/*
 * The webhook envelope, read liberally: Meta's samples disagree on types, so numbers may be strings and the other way round,
 * and a field of a wrong type counts as missing. Objects are rebuilt from the keys named here, so that unknown keys and
 * `__proto__` go no further.
 */

/** Longest SDP taken, in characters; Meta's are under 3,000. */
const SDP_CAP = 64 * 1024;

/** A string or number as string, cut to `cap` characters; undefined for anything else. */
const scalar = (cap: number) =>
  z
    .union([z.string(), z.number()])
    .transform((value) => String(value).slice(0, cap))
    .optional()
    .catch(undefined);

const list = z.array(z.unknown()).optional().catch(undefined);

const object = <Shape extends z.ZodRawShape>(shape: Shape) => z.object(shape).optional().catch(undefined);

/** Too long to be true is missing, not cut: half an SDP or id is worse than none. */
const whole = (cap: number) => z.string().max(cap).optional().catch(undefined);

/** A user's number or business-scoped id (up to 128 characters); half of one would be somebody else. */
const identity = z
  .union([z.string(), z.number()])
  .transform(String)
  .pipe(z.string().trim().min(1).max(128))
  .optional()
  .catch(undefined);

/** Beyond this no calendar has a date for it (ECMA-262 §21.4.1.1), in milliseconds. */
const LATEST_MS = 8.64e15;

/** Seconds since the Unix epoch (some senders use milliseconds) to milliseconds. */
const timestamp = z
  .union([z.string().regex(/^\d{1,16}$/), z.number().nonnegative()])
  .transform((value) => (Number(value) > 1e11 ? Number(value) : Number(value) * 1000))
  .refine((atMs) => atMs <= LATEST_MS)
  .optional()
  .catch(undefined);

/** A number, or one in a string; an empty text or null is none, though JavaScript would read 0. */
const amount = z
  .union([z.number(), z.string().regex(/^\d{1,12}(?:\.\d{1,6})?$/)])
  .transform(Number)
  .pipe(z.number().nonnegative())
  .optional()
  .catch(undefined);

const upper = z
  .string()
  .transform((value) => value.slice(0, 64).toUpperCase())
  .optional()
  .catch(undefined);

/** One word, or a list whose first word counts (one sample shows `status` as an array). */
const word = z
  .union([z.string(), z.array(z.string()).min(1)])
  .transform((value) => (Array.isArray(value) ? value[0] : value)?.slice(0, 64).toUpperCase())
  .optional()
  .catch(undefined);

export const envelopeSchema = z.object({ object: scalar(64), entry: z.array(z.unknown()) });
export const entrySchema = z.object({ id: scalar(64), changes: z.array(z.unknown()) });

export const contactSchema = z.object({
  wa_id: identity,
  user_id: identity,
  parent_user_id: identity,
  profile: object({ name: scalar(256), username: scalar(128) }),
});
export type Contact = z.infer<typeof contactSchema>;

export const changeSchema = z.object({
  field: scalar(64),
  value: z.object({
    metadata: object({ phone_number_id: scalar(64), display_phone_number: scalar(64) }),
    contacts: list,
    calls: list,
    statuses: list,
    messages: list,
    errors: list,
    phone_number_settings: object({ phone_number_id: scalar(64) }),
    timestamp,
  }),
});
export type ChangeValue = z.infer<typeof changeSchema>['value'];

export const callSchema = z.object({
  id: whole(256),
  event: scalar(64),
  to: identity,
  from: identity,
  to_user_id: identity,
  from_user_id: identity,
  to_parent_user_id: identity,
  from_parent_user_id: identity,
  timestamp,
  direction: upper,
  session: object({ sdp_type: upper, sdp: whole(SDP_CAP) }),
  connection: object({ webrtc: object({ sdp: whole(2 * SDP_CAP) }) }),
  status: word,
  start_time: timestamp,
  end_time: timestamp,
  duration: amount,
  biz_opaque_callback_data: whole(4096),
  cta_payload: whole(4096),
  deeplink_payload: whole(4096),
  errors: list,
});
export type CallItem = z.infer<typeof callSchema>;

/** What the legacy `connection.webrtc.sdp` holds, JSON within a string. */
export const legacyDescriptionSchema = z.object({ sdp: z.string().max(SDP_CAP), type: upper });

export const statusSchema = z.object({
  id: whole(256),
  timestamp,
  type: upper,
  status: word,
  recipient_id: identity,
  recipient_user_id: identity,
  recipient_parent_user_id: identity,
  biz_opaque_callback_data: whole(4096),
  errors: list,
});

/** What an item says went wrong, whatever else it is. */
export const withErrorsSchema = z.object({ errors: list });

export const errorSchema = z.object({
  code: z.coerce.number().int(),
  title: scalar(500),
  message: scalar(500),
  error_data: object({ details: scalar(500) }),
});

export const messageSchema = z.object({
  id: whole(256),
  from: identity,
  from_user_id: identity,
  from_parent_user_id: identity,
  timestamp,
  type: scalar(64),
  context: object({ id: whole(256) }),
  interactive: object({
    type: scalar(64),
    call_permission_reply: object({
      response: upper,
      is_permanent: z.union([z.boolean(), z.stringbool()]).optional().catch(undefined),
      expiration_timestamp: timestamp,
      response_source: upper,
    }),
  }),
});
export type Message = z.infer<typeof messageSchema>;
