import { z } from 'zod';
import { DAYS } from '../routing/week.js';
import * as formats from './formats.js';
import { uriParameters } from './phone-formats.js';
import { value } from './schema-value.js';
import { country, date, mediaId, timeOfDay, timezone } from './settings-formats.js';

const word = <T extends string>(description: string, ...words: readonly T[]): z.ZodType<T> =>
  value<T>(formats.oneOf(...words), description);
const onOff = (description: string) => word(description, 'ENABLED', 'DISABLED');
/** Meta shows it and takes it from nobody: a file may hold it, as what `settings pull` and Meta's own tools show does. */
const readOnly = z.unknown().meta({ description: "Meta's to write; never sent." }).optional();

const callHours = z.strictObject({
  status: onOff('DISABLED: open all the time.'),
  timezone_id: value<string>(timezone, 'IANA name of the zone.'),
  weekly_operating_hours: z
    .array(
      z.strictObject({
        day_of_week: word('Day.', ...DAYS),
        open_time: value<string>(timeOfDay, 'First minute that is open, HHMM in quotes.'),
        close_time: value<string>(timeOfDay, 'Last minute that is open; before open_time: on the next day.'),
      }),
    )
    .meta({ description: 'At most two entries a day.' }),
  holiday_schedule: z
    .array(
      z.strictObject({
        date: value<string>(date, 'Day, in quotes.'),
        start_time: value<string>(timeOfDay, 'First minute that is open.').optional(),
        end_time: value<string>(timeOfDay, 'Last minute that is open.').optional(),
        open_time: value<string>(timeOfDay, 'The same as start_time.').optional(),
        close_time: value<string>(timeOfDay, 'The same as end_time.').optional(),
      }),
    )
    .meta({
      description:
        'Days with other hours, at most 20; left out: what Meta has stays. None can be closed all day: the least is 0000 to 0001.',
    })
    .optional(),
});

const settingsServer = z.strictObject({
  hostname: value<string>(formats.host, 'Host name of the SIP server.'),
  port: value<number>(
    formats.port,
    'Its port; 5061 is TLS, any other UDP. Left out: what Meta has stays, which is 5061 for a new server.',
  ).optional(),
  request_uri_user_params: value<Record<string, string>>(
    uriParameters,
    "Parameters of the Request-URI's user part.",
  ).optional(),
  app_id: readOnly,
  sip_user_password: z
    .unknown()
    .meta({ description: "Meta's to write; never sent nor shown.", writeOnly: true })
    .optional(),
});

const sip = z.strictObject({
  status: onOff('ENABLED: Meta sends SIP by itself, and Graph calls and webhooks stop.').optional(),
  webhook_delivery: onOff('Webhooks about calls in SIP mode.').optional(),
  servers: z.array(settingsServer).meta({ description: 'One; Meta keeps a list for later.' }).optional(),
});

const voicemail = z.strictObject({
  status: onOff('Voicemail for calls that are not taken.').optional(),
  triggers: z
    .array(word('When it begins.', 'REJECT', 'TIMEOUT'))
    .meta({ description: 'REJECT: the call is rejected. TIMEOUT: nobody answers in time.' })
    .optional(),
  audio: z
    .strictObject({
      default: z
        .strictObject({
          announcement_media_id: value<string>(mediaId, 'Uploaded announcement (Ogg Opus, under 60 s).').optional(),
          timeout_seconds: value<number>(formats.wholeNumber(0, 30), 'For TIMEOUT.').optional(),
        })
        .meta({ description: 'For every language.' })
        .optional(),
    })
    .meta({ description: 'What is played.' })
    .optional(),
});

/** Keys that only Meta writes. */
export const readOnlySettings: readonly string[] = ['restrictions', 'app_id', 'sip_user_password'];

/** `settings` of a number: keys and words as Meta spells them (settings page). */
export const settingsSchema = z.strictObject({
  calling: z
    .strictObject({
      status: onOff('Calling on the number.').optional(),
      call_icon_visibility: word('The call button.', 'DEFAULT', 'DISABLE_ALL').optional(),
      call_icons: z
        .strictObject({
          restrict_to_user_countries: z
            .array(value<string>(country, 'Country of the user, by the number.'))
            .meta({ description: 'Whom the call button is shown to; [] is everybody.' })
            .optional(),
        })
        .meta({ description: 'Who sees the call button.' })
        .optional(),
      call_hours: callHours.meta({ description: 'When users may call.' }).optional(),
      callback_permission_status: onOff("A user's call gives leave to call back.").optional(),
      sip: sip.meta({ description: 'SIP between Meta and a server.' }).optional(),
      srtp_key_exchange_protocol: word('Keys of SRTP in SIP mode.', 'DTLS', 'SDES').optional(),
      audio: z
        .strictObject({
          additional_codecs: z
            .array(word('Codec.', 'PCMA', 'PCMU'))
            .meta({ description: 'Codecs besides Opus; [] is none.' })
            .optional(),
        })
        .meta({ description: 'Audio between Meta and us.' })
        .optional(),
      voicemail: voicemail.meta({ description: 'Voicemail.' }).optional(),
      restrictions: readOnly,
    })
    .meta({ description: 'Calling.' })
    .optional(),
});

export type SettingsItem = z.infer<typeof settingsSchema>;
export type CallingItem = NonNullable<SettingsItem['calling']>;
export type CallHoursItem = z.infer<typeof callHours>;
export type SettingsServerItem = z.infer<typeof settingsServer>;
