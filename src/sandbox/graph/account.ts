import { GraphRefusal, invalidParameter, invalidToken, unknownObject } from './graph-error.js';

type Availability = 'AVAILABLE' | 'LIMITED' | 'BLOCKED';

/** A part that calls depend on, as `health_status` names it. */
export interface HealthEntity {
  readonly entity_type: 'PHONE_NUMBER' | 'WABA' | 'BUSINESS' | 'APP';
  readonly id: string;
  readonly can_send_message: Availability;
  readonly can_receive_call_sip?: Availability;
  readonly errors?: readonly {
    readonly error_code: number;
    readonly error_description: string;
    readonly possible_solution: string;
  }[];
}

export interface AccountOptions {
  readonly accessToken: string;
  readonly appSecret: string;
  readonly numberId: string;
  /** The business's number without a plus. */
  readonly digits: string;
}

/** What stands around a number at Meta: its WhatsApp Business Account, the app, the token, who is told what by webhook. */
export class BusinessAccount {
  readonly appId = '670843887433847';
  readonly wabaId = '102290129340398';
  /** What the owner of the token gave the app leave to do. */
  scopes: string[] = ['whatsapp_business_management', 'whatsapp_business_messaging', 'public_profile'];
  isTokenValid = true;
  /** Unix seconds; 0: never. */
  tokenExpiresS = 0;
  /** Apps that are told what happens on the account. */
  subscribedApps: string[] = [this.appId];
  /** What the app wants to be told; none until it has a callback URL. */
  fields: string[] = ['account_settings_update', 'calls', 'messages'];
  callbackUrl: string | undefined;
  /** Where the number's webhooks go instead, and those of all numbers of its WhatsApp Business Account. */
  readonly overrides: { number?: string; account?: string } = {};
  displayNumber: string;
  readonly health: HealthEntity[];

  constructor(private readonly options: AccountOptions) {
    const { numberId, digits } = options;
    this.displayNumber = `+${digits.slice(0, 1)} ${digits.slice(1, 4)}-${digits.slice(4, 7)}-${digits.slice(7)}`;
    this.health = [
      { entity_type: 'PHONE_NUMBER', id: numberId, can_send_message: 'AVAILABLE' },
      { entity_type: 'WABA', id: this.wabaId, can_send_message: 'AVAILABLE' },
      { entity_type: 'BUSINESS', id: '1022901293403', can_send_message: 'AVAILABLE' },
      { entity_type: 'APP', id: this.appId, can_send_message: 'AVAILABLE' },
    ];
  }

  /** Puts another state in place of a part's. */
  setHealth(entity: Pick<HealthEntity, 'entity_type'> & Partial<HealthEntity>): void {
    const index = this.health.findIndex(({ entity_type: type }) => type === entity.entity_type);
    const before = this.health[index];
    if (before) this.health[index] = { ...before, ...entity };
  }

  /** `GET /debug_token?input_token=`: of another token Meta only says that it is not valid. */
  debugToken(inputToken: unknown): object {
    if (typeof inputToken !== 'string') throw invalidParameter('input_token is required');
    if (inputToken !== this.options.accessToken) {
      return {
        data: { is_valid: false, scopes: [], error: { code: 190, message: 'The access token could not be decrypted' } },
      };
    }
    const target_ids = [this.wabaId];
    return {
      data: {
        ...{ app_id: this.appId, type: 'SYSTEM_USER', application: 'Sandbox', user_id: '122100000000001' },
        ...{
          data_access_expires_at: 0,
          expires_at: this.tokenExpiresS,
          is_valid: this.isTokenValid,
          scopes: this.scopes,
        },
        granular_scopes: this.scopes.map((scope) => ({ scope, target_ids })),
      },
    };
  }

  /** `GET /<number>?fields=`: only what is asked for, and always the id. */
  numberFields(fields: unknown): object {
    const known: Readonly<Record<string, unknown>> = {
      id: this.options.numberId,
      display_phone_number: this.displayNumber,
      verified_name: 'Sandbox',
      health_status: { can_send_message: worstOf(this.health), entities: this.health },
      webhook_configuration: {
        phone_number: this.overrides.number,
        whatsapp_business_account: this.overrides.account,
        application: this.callbackUrl,
      },
    };
    const asked = typeof fields === 'string' ? fields.split(',') : ['verified_name', 'display_phone_number'];
    const unknown = asked.find((field) => !(field in known));
    if (unknown !== undefined) {
      throw new GraphRefusal(400, 100, 'Tried accessing nonexisting field', `(${unknown.slice(0, 40)}) on node type`);
    }
    return Object.fromEntries([...new Set([...asked, 'id'])].map((field) => [field, known[field]]));
  }

  /** `GET /<WABA>/subscribed_apps`. */
  appsOf(wabaId: string): object {
    if (wabaId !== this.wabaId) throw unknownObject(wabaId);
    const override = { override_callback_uri: this.overrides.account };
    return {
      data: this.subscribedApps.map((id) => ({ whatsapp_business_api_data: { id, name: 'Sandbox' }, ...override })),
    };
  }

  /** `GET /<app>/subscriptions`, for the app alone: its token is its id and its secret. */
  subscriptionsOf(appId: string, authorization: string | undefined): object {
    if (authorization !== `Bearer ${this.appId}|${this.options.appSecret}`) throw invalidToken();
    if (appId !== this.appId) throw unknownObject(appId);
    if (this.callbackUrl === undefined) return { data: [] };
    const fields = this.fields.map((name) => ({ name, version: 'v23.0' }));
    return { data: [{ object: 'whatsapp_business_account', callback_url: this.callbackUrl, active: true, fields }] };
  }
}

function worstOf(health: readonly HealthEntity[]): Availability {
  const states = health.map(({ can_send_message: state }) => state);
  return (['BLOCKED', 'LIMITED'] as const).find((state) => states.includes(state)) ?? 'AVAILABLE';
}
