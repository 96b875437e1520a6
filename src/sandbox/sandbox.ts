import { systemClock } from '../lib/clock.js';
import type { Clock } from '../lib/clock.js';
import { BusinessAccount } from './graph/account.js';
import { Exchange } from './graph/exchange.js';
import { GraphServer } from './graph/graph-server.js';
import { Pbx } from './pbx/pbx.js';
import type { PbxOptions } from './pbx/pbx.js';
import { WhatsAppPhone } from './phone/phone.js';
import type { PhoneOptions } from './phone/phone.js';
import { loadWrtc } from './phone/wrtc.js';
import { WebhookSender } from './webhook-sender.js';

export interface SandboxOptions {
  /** Signs the webhooks. */
  readonly appSecret: string;
  /** The bearer token that Graph requests must show. */
  readonly accessToken: string;
  /** phone_number_id of the business. */
  readonly numberId: string;
  /** The business's number, with or without a plus. */
  readonly businessNumber: string;
  /** Where webhooks go; may be set later. Loopback only. */
  readonly webhookUrl?: string;
  /** Refuses an SDP with codecs that the number's settings lack. Default: any beside Opus will do, as in Meta's samples. */
  readonly strictCodecs?: boolean;
  /** How long a call may ring. Default 60 s. */
  readonly answerWindowMs?: number;
  /** Pauses before a webhook not answered with 200 is sent again. */
  readonly retryDelaysMs?: readonly number[];
  readonly clock?: Clock;
}

/** A stand-in for Meta on this machine, with its users' phones and, if wanted, a PBX. */
export interface Sandbox {
  /** Base URL of the Graph API, without the version. */
  readonly graphUrl: string;
  readonly graph: GraphServer;
  readonly webhooks: WebhookSender;
  readonly exchange: Exchange;
  /** The token's rights, health, subscriptions. */
  readonly account: BusinessAccount;
  /** Sets where webhooks go. */
  setWebhook(url: string): void;
  /** A user's phone. @throws WrtcMissingError if the optional package is missing */
  phone(options: PhoneOptions): Promise<WhatsAppPhone>;
  /** A small PBX on a free loopback port. */
  pbx(options?: PbxOptions): Promise<Pbx>;
  /** Closes everything; no timer, no socket is left. Idempotent. */
  stop(): Promise<void>;
}

/** Starts a sandbox on free loopback ports. */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const clock = options.clock ?? systemClock;
  const { appSecret, accessToken, retryDelaysMs } = options;
  const webhooks = new WebhookSender({ appSecret, clock, ...(retryDelaysMs ? { retryDelaysMs } : {}) });
  const exchange = new Exchange({
    number: { id: options.numberId, digits: options.businessNumber.replace(/^\+/, '') },
    clock,
    send: (event) => webhooks.send(event),
    answerWindowMs: options.answerWindowMs ?? 60_000,
  });
  const { id: numberId, digits } = exchange.number;
  const account = new BusinessAccount({ accessToken, appSecret, numberId, digits });
  const graph = new GraphServer({ accessToken, account, exchange, clock, strictCodecs: options.strictCodecs });
  if (options.webhookUrl !== undefined) {
    webhooks.target(options.webhookUrl);
    account.callbackUrl = options.webhookUrl;
  }
  const phones: WhatsAppPhone[] = [];
  const pbxs: Pbx[] = [];
  return {
    graphUrl: await graph.listen(),
    graph,
    webhooks,
    exchange,
    account,
    setWebhook: (url) => {
      webhooks.target(url);
      account.callbackUrl = url;
    },
    phone: async (phoneOptions) => {
      const phone = new WhatsAppPhone(await loadWrtc(), exchange, phoneOptions);
      phones.push(phone);
      return phone;
    },
    pbx: async (pbxOptions) => {
      const pbx = await Pbx.start(pbxOptions);
      pbxs.push(pbx);
      return pbx;
    },
    stop: async () => {
      exchange.stop();
      for (const phone of phones.splice(0)) phone.close();
      await webhooks.stop();
      await Promise.all([graph.close(), ...pbxs.splice(0).map((pbx) => pbx.stop())]);
    },
  };
}
