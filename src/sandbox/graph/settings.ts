import { randomBytes } from 'node:crypto';
import { invalidParameter } from './graph-error.js';
import { checkCallHours } from './call-hours-check.js';

type Json = Record<string, unknown>;

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function enumeration(...allowed: string[]): (value: unknown, key: string) => void {
  return (value, key) => {
    if (typeof value !== 'string' || !allowed.includes(value)) {
      throw invalidParameter(`calling.${key} must be one of ${allowed.join(', ')}`);
    }
  };
}

const onOff = enumeration('ENABLED', 'DISABLED');
const MAX_URI_PARAM = 128;

function checkUserParams(params: unknown): void {
  if (params === undefined) return;
  const entries = isObject(params) ? Object.entries(params) : [['', 0]];
  for (const [key, value] of entries) {
    if (typeof value !== 'string' || String(key).length > MAX_URI_PARAM || value.length > MAX_URI_PARAM) {
      throw invalidParameter('sip.servers[].request_uri_user_params: strings of at most 128 characters');
    }
  }
}

function checkServer(server: unknown): void {
  if (!isObject(server) || typeof server['hostname'] !== 'string' || server['hostname'] === '') {
    throw invalidParameter('sip.servers[].hostname is required');
  }
  const port = server['port'] ?? 5061;
  if (!Number.isInteger(port) || Number(port) < 1 || Number(port) > 65_535) {
    throw invalidParameter('sip.servers[].port must be a port number');
  }
  checkUserParams(server['request_uri_user_params']);
}

function checkSip(value: unknown): void {
  if (!isObject(value)) throw invalidParameter('calling.sip must be an object');
  if (value['status'] !== undefined) onOff(value['status'], 'sip.status');
  if (value['webhook_delivery'] !== undefined) onOff(value['webhook_delivery'], 'sip.webhook_delivery');
  const servers = value['servers'];
  if (servers === undefined) return;
  if (!Array.isArray(servers) || servers.length > 1) throw invalidParameter('sip.servers: at most one server');
  servers.forEach(checkServer);
}

function checkCallIcons(value: unknown): void {
  const countries = isObject(value) ? value['restrict_to_user_countries'] : undefined;
  const fits = (country: unknown): boolean => typeof country === 'string' && /^[A-Z]{2}$/.test(country);
  if (!Array.isArray(countries) || !countries.every(fits)) {
    throw invalidParameter('call_icons.restrict_to_user_countries: two-letter country codes');
  }
}

function checkAudio(value: unknown): void {
  const codecs = isObject(value) ? value['additional_codecs'] : undefined;
  if (!Array.isArray(codecs) || !codecs.every((codec) => codec === 'PCMA' || codec === 'PCMU')) {
    throw invalidParameter('audio.additional_codecs: PCMA, PCMU or none');
  }
}

function checkVoicemail(value: unknown): void {
  if (!isObject(value)) throw invalidParameter('calling.voicemail must be an object');
  onOff(value['status'], 'voicemail.status');
  const triggers = value['triggers'];
  const fits =
    Array.isArray(triggers) && triggers.length > 0 && triggers.every((t) => t === 'REJECT' || t === 'TIMEOUT');
  if (value['status'] === 'ENABLED' && !fits) throw invalidParameter('voicemail.triggers: REJECT, TIMEOUT');
}

const checks: Readonly<Record<string, (value: unknown, key: string) => void>> = {
  status: onOff,
  call_icon_visibility: enumeration('DEFAULT', 'DISABLE_ALL'),
  call_icons: checkCallIcons,
  callback_permission_status: onOff,
  srtp_key_exchange_protocol: enumeration('DTLS', 'SDES'),
  sip: checkSip,
  audio: checkAudio,
  voicemail: checkVoicemail,
};

/** What is left out stays. */
function mergedVoicemail(before: unknown, after: unknown): Json {
  const merged = { ...(isObject(before) ? before : {}), ...(isObject(after) ? structuredClone(after) : {}) };
  checkVoicemail(isObject(after) ? merged : after);
  return merged;
}

const SIP_APP_ID = 1_234_567_890_123_456;

/** The calling settings of one number, with Meta's rules of reading and writing them (its settings page). */
export class CallingSettings {
  #calling: Json;
  /** What Meta holds against the number; nobody else can write it. Expirations are Unix seconds. */
  restrictions: readonly { readonly type: string; readonly reason?: string; readonly expiration?: number }[] = [];
  #sipPassword = randomBytes(12).toString('base64url');

  constructor(initial: Json = { status: 'ENABLED', call_icon_visibility: 'DEFAULT' }) {
    this.#calling = structuredClone(initial);
  }

  get callingEnabled(): boolean {
    return this.#calling['status'] === 'ENABLED';
  }

  /** A user's call leaves the business a permission to call back. */
  get callbackPermission(): boolean {
    return this.#calling['callback_permission_status'] === 'ENABLED';
  }

  /** What the relay speaks beside Opus. */
  get additionalCodecs(): readonly string[] {
    const audio = this.#calling['audio'];
    const codecs = isObject(audio) ? audio['additional_codecs'] : undefined;
    return Array.isArray(codecs) ? codecs.map(String) : [];
  }

  /** The number is in SIP mode: the Graph calling endpoints are closed to it. */
  get sipEnabled(): boolean {
    const sip = this.#calling['sip'];
    return isObject(sip) && sip['status'] === 'ENABLED';
  }

  /** Puts other settings in place, as if Meta had come to hold them: none of its rules are asked. */
  hold(calling: Json): void {
    this.#calling = structuredClone(calling);
  }

  /** What GET answers: `calling`, and a password with each SIP server if asked for. */
  read(withSipCredentials: boolean): Json {
    const calling = structuredClone(this.#calling);
    const sip = calling['sip'];
    if (isObject(sip) && Array.isArray(sip['servers'])) {
      const secret = withSipCredentials ? { sip_user_password: this.#sipPassword } : {};
      sip['servers'] = sip['servers'].map((server: Json) => ({ app_id: SIP_APP_ID, ...server, ...secret }));
    }
    if (this.restrictions.length > 0) calling['restrictions'] = { restrictions_list: [...this.restrictions] };
    return { calling };
  }

  /**
   * Takes a POST: fields are merged at the top level of `calling`; `call_hours` is replaced whole, so that a
   * `holiday_schedule` left out is gone. All or nothing. @throws GraphRefusal 100 naming the field
   */
  write(body: unknown, today: string): void {
    const calling = isObject(body) ? body['calling'] : undefined;
    if (!isObject(calling) || Object.keys(calling).length === 0) throw invalidParameter('calling is required');
    const next: Json = structuredClone(this.#calling);
    for (const [key, value] of Object.entries(calling)) {
      if (key === 'call_hours') {
        checkCallHours(value, today);
        next[key] = structuredClone(value);
        continue;
      }
      const check = checks[key];
      if (!check) throw invalidParameter(`calling.${key.slice(0, 60)} is not a known setting`);
      if (key === 'voicemail') next[key] = mergedVoicemail(next[key], value);
      else {
        check(value, key);
        next[key] = key === 'sip' ? this.#mergedSip(next['sip'], value as Json) : structuredClone(value);
      }
    }
    this.#calling = next;
  }

  /** Disabling SIP keeps its servers; enabling it needs one. An emptied list makes a new password. */
  #mergedSip(before: unknown, after: Json): Json {
    const merged: Json = { ...(isObject(before) ? before : {}), ...structuredClone(after) };
    const servers = Array.isArray(merged['servers']) ? merged['servers'] : [];
    if (merged['status'] === 'ENABLED' && servers.length === 0) {
      throw invalidParameter('sip.servers: at least one server is needed while SIP is enabled');
    }
    if (Array.isArray(after['servers']) && servers.length === 0)
      this.#sipPassword = randomBytes(12).toString('base64url');
    merged['servers'] = servers.map((server: Json) => ({ port: 5061, ...server }));
    return merged;
  }
}
