import type { WeeklyEntry } from './week.js';

export type OnOff = 'ENABLED' | 'DISABLED';

/** An entry of `holiday_schedule`; times are HHMM. */
export interface HolidayEntry {
  /** YYYY-MM-DD. */
  readonly date: string;
  readonly start_time: string;
  readonly end_time: string;
}

/** `call_hours`, which Meta replaces whole. */
export interface CallHoursBlock {
  readonly status: OnOff;
  readonly timezone_id: string;
  readonly weekly_operating_hours: readonly WeeklyEntry[];
  /** Absent: what Meta has stays. */
  readonly holiday_schedule?: readonly HolidayEntry[];
}

/** An entry of `sip.servers`. What is absent stays as Meta has it for a server of this name. */
export interface SettingsServer {
  readonly hostname: string;
  readonly port?: number;
  readonly request_uri_user_params?: Readonly<Record<string, string>>;
}

/**
 * What a file wants the `calling` block of a number to be, keys and words as Meta spells them (settings page). What is absent
 * is not managed: it is never sent and never a difference.
 */
export interface DesiredCalling {
  readonly status?: OnOff;
  readonly call_icon_visibility?: string;
  readonly call_icons?: { readonly restrict_to_user_countries?: readonly string[] };
  readonly call_hours?: CallHoursBlock;
  readonly callback_permission_status?: OnOff;
  readonly sip?: {
    readonly status?: OnOff;
    readonly webhook_delivery?: OnOff;
    readonly servers?: readonly SettingsServer[];
  };
  readonly srtp_key_exchange_protocol?: 'DTLS' | 'SDES';
  readonly audio?: { readonly additional_codecs?: readonly string[] };
  readonly voicemail?: {
    readonly status?: OnOff;
    readonly triggers?: readonly string[];
    readonly audio?: {
      readonly default?: { readonly announcement_media_id?: string; readonly timeout_seconds?: number };
    };
  };
}
