import { z } from 'zod';
import type { Config } from '../../config/config.js';
import type { Clock } from '../../lib/clock.js';
import { GraphError } from '../../whatsapp/graph-error.js';
import type { GraphRequest } from '../../whatsapp/graph-request.js';
import { GraphTransport } from '../../whatsapp/graph-transport.js';
import { SettingsClient } from '../../whatsapp/settings/settings-client.js';
import type { Block } from '../../whatsapp/settings/settings-fields.js';

const id = z.union([z.string(), z.number()]).transform(String);
const optional = <T extends z.ZodType>(of: T) => of.optional().catch(undefined);

const tokenAnswer = z.object({
  data: z.looseObject({
    app_id: optional(id),
    application: optional(z.string()),
    is_valid: z.boolean(),
    /** Unix seconds; 0: never. */
    expires_at: optional(z.number()),
    data_access_expires_at: optional(z.number()),
    scopes: z.array(z.string()).default([]),
  }),
});
const numberAnswer = z.looseObject({ display_phone_number: z.string() });
const healthAnswer = z.looseObject({
  health_status: z.looseObject({
    entities: z.array(
      z.looseObject({
        entity_type: z.string(),
        id: optional(id),
        can_send_message: optional(z.string()),
        can_receive_call_sip: optional(z.string()),
        errors: optional(
          z.array(
            z.looseObject({
              error_code: optional(z.number()),
              error_description: optional(z.string()),
              possible_solution: optional(z.string()),
            }),
          ),
        ),
      }),
    ),
  }),
});
const appsAnswer = z.looseObject({
  data: z.array(z.looseObject({ whatsapp_business_api_data: z.looseObject({ id, name: optional(z.string()) }) })),
});
const callbacksAnswer = z.looseObject({
  webhook_configuration: z
    .looseObject({
      phone_number: optional(z.string()),
      whatsapp_business_account: optional(z.string()),
      application: optional(z.string()),
    })
    .default({}),
});
const subscriptionsAnswer = z.looseObject({
  data: z.array(
    z.looseObject({
      object: z.string(),
      callback_url: optional(z.string()),
      active: optional(z.boolean()),
      fields: z
        .array(z.union([z.string(), z.looseObject({ name: z.string() }).transform(({ name }) => name)]))
        .default([]),
    }),
  ),
});

/** What Meta says of the access token (`GET /debug_token`). */
export type TokenFacts = z.infer<typeof tokenAnswer>['data'];
/** A part that calls depend on: the number, its WABA, the business, the app. */
export type HealthEntity = z.infer<typeof healthAnswer>['health_status']['entities'][number];
/** Callback URLs of a number, of its WhatsApp Business Account, of the app: Meta takes the first that there is (page on overrides). */
export type Callbacks = z.infer<typeof callbacksAnswer>['webhook_configuration'];
/** What the app is told by webhook of one kind of object. */
export type AppSubscription = z.infer<typeof subscriptionsAnswer>['data'][number];

export interface MetaQuestionsOptions {
  readonly graph: Config['graph'];
  /** Longest wait for one answer, in milliseconds. */
  readonly askMs: number;
  readonly clock: Clock;
}

/**
 * Questions to the Graph API, each asked once however many checks want to know: nothing is repeated and nothing held back, as
 * a check shall show what Meta says now. All throw GraphError.
 */
export class MetaQuestions {
  readonly #transport: GraphTransport;
  readonly #asked = new Map<string, Promise<unknown>>();
  readonly #settings: SettingsClient;
  #skewMs: number | undefined;

  constructor(private readonly options: MetaQuestionsOptions) {
    const { baseUrl, version, appSecrets, appsecretProof } = options.graph;
    const proof = appsecretProof ? { appSecret: () => appSecrets[0] } : {};
    this.#transport = new GraphTransport({ baseUrl, version, clock: options.clock, ...proof });
    this.#settings = new SettingsClient({ request: (request) => this.#carryOut(request) });
  }

  /** How far our clock is from Meta's by its `Date` headers, in milliseconds, ours being ahead: positive; undefined before an answer. */
  get skewMs(): number | undefined {
    return this.#skewMs;
  }

  /** The token looks at itself (Meta's page on permissions). */
  token(): Promise<TokenFacts> {
    return this.#once('token', async () => {
      const query = { input_token: this.options.graph.accessToken };
      return (await this.#get('debug_token', 'look at the token', tokenAnswer, query)).data;
    });
  }

  number(numberId: string): Promise<{ readonly display_phone_number: string }> {
    const query = { fields: 'display_phone_number' };
    return this.#once(`number ${numberId}`, () => this.#get(numberId, 'look at the number', numberAnswer, query));
  }

  health(numberId: string): Promise<readonly HealthEntity[]> {
    const query = { fields: 'health_status' };
    return this.#once(`health ${numberId}`, async () => {
      return (await this.#get(numberId, 'health_status', healthAnswer, query)).health_status.entities;
    });
  }

  /** Where webhooks about a number go. */
  callbacks(numberId: string): Promise<Callbacks> {
    const query = { fields: 'webhook_configuration' };
    return this.#once(`callbacks ${numberId}`, async () => {
      return (await this.#get(numberId, 'webhook_configuration', callbacksAnswer, query)).webhook_configuration;
    });
  }

  /** The `calling` block that Meta holds. */
  settings(numberId: string): Promise<Block> {
    return this.#once(`settings ${numberId}`, () => this.#settings.pull(numberId));
  }

  /** Ids of the apps that are told what happens on a WhatsApp Business Account. */
  subscribedApps(wabaId: string): Promise<readonly string[]> {
    return this.#once(`apps ${wabaId}`, async () => {
      const { data } = await this.#get(`${wabaId}/subscribed_apps`, 'subscribed_apps', appsAnswer);
      return data.map(({ whatsapp_business_api_data: app }) => app.id);
    });
  }

  /**
   * What the app is subscribed to; only the app itself may ask, by its id and secret. While secrets are rotated one of them is
   * the app's.
   */
  subscriptions(appId: string): Promise<readonly AppSubscription[]> {
    return this.#once(`subscriptions ${appId}`, async () => {
      const [first = '', ...others] = this.options.graph.appSecrets;
      const ask = async (secret: string): Promise<readonly AppSubscription[]> => {
        const path = `${appId}/subscriptions`;
        return (await this.#get(path, 'subscriptions', subscriptionsAnswer, {}, `${appId}|${secret}`)).data;
      };
      return others.reduce((asked, secret) => asked.catch(() => ask(secret)), ask(first));
    });
  }

  /** Resolves when a question that is asked in any case has its answer, whatever that is. */
  async firstAnswer(): Promise<void> {
    await this.token().catch(() => undefined);
  }

  #once<T>(key: string, ask: () => Promise<T>): Promise<T> {
    const known = this.#asked.get(key) as Promise<T> | undefined;
    if (known) return known;
    const asked = ask();
    asked.catch(() => undefined);
    this.#asked.set(key, asked);
    return asked;
  }

  #get<T>(
    path: string,
    what: string,
    answer: z.ZodType<T>,
    query: Readonly<Record<string, string>> = {},
    token?: string,
  ): Promise<T> {
    return this.#carryOut({ lane: 'other', method: 'GET', path, query, answer, numberId: '', what }, token);
  }

  async #carryOut<T>(request: GraphRequest<T>, token = this.options.graph.accessToken): Promise<T> {
    const { askMs: timeoutMs, clock } = this.options;
    const sentMs = clock.now();
    const onHeaders = (headers: Headers): void => this.#compareClocks(headers.get('date'), sentMs, clock.now());
    const read = request.answer.safeParse(await this.#transport.exchange(request, { token, timeoutMs, onHeaders }));
    if (read.success) return read.data;
    throw new GraphError('answer', `the answer to ${request.what} has another form`, { httpStatus: 200 });
  }

  /** The header has whole seconds, and was written between our sending and receiving: only what lies outside counts. */
  #compareClocks(date: string | null, sentMs: number, receivedMs: number): void {
    const theirsMs = Date.parse(date ?? '');
    if (Number.isNaN(theirsMs)) return;
    const ahead = Math.max(0, sentMs - (theirsMs + 999));
    const behind = Math.max(0, theirsMs - receivedMs);
    this.#skewMs = ahead - behind;
  }
}
