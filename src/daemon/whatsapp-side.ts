import type { SeenKeys } from '../call/journal.js';
import type { LiveSecrets } from '../config/live-secrets.js';
import { explainUserCall } from '../routing/route-explain.js';
import type { Trunk, WaNumber } from '../routing/types.js';
import { registerPermissionMetrics } from '../observability/permission-metrics.js';
import { CallDirectory } from '../whatsapp/call-directory.js';
import { GraphClient } from '../whatsapp/graph-client.js';
import type { LegCodecs } from '../whatsapp/leg-media.js';
import type { WhatsAppLegDeps } from '../whatsapp/leg-wire.js';
import { createPermissionGate } from '../whatsapp/permissions/create-permission-gate.js';
import type { PermissionEvent } from '../whatsapp/permissions/permission-event.js';
import type { PermissionGate } from '../whatsapp/permissions/permission-gate.js';
import type { PermissionCount } from '../whatsapp/permissions/permission-types.js';
import type { SettingsWatch } from '../whatsapp/settings/settings-watch.js';
import { UserInitiatedLeg } from '../whatsapp/user-initiated-leg.js';
import { WebhookRouter, type UserLegSeed, type WebhookRouterOptions } from '../whatsapp/webhook-router.js';
import type { Base } from './base.js';
import { codecsAllowed } from './meta-codecs.js';

/** The Meta side: Graph client, call directory, webhook router. */
export class WhatsAppSide {
  readonly legDeps: WhatsAppLegDeps;
  readonly graph: GraphClient;
  readonly permissions: PermissionGate;
  #settings: SettingsWatch | undefined;

  constructor(
    private readonly base: Base,
    secrets: LiveSecrets,
  ) {
    const { config, live, clock, logger, media, journal, timeline, metrics } = base;
    const { baseUrl, version, timeoutMs, appsecretProof } = config.graph;
    this.graph = new GraphClient({
      baseUrl,
      version,
      token: () => secrets.accessToken(),
      ...(appsecretProof && { appSecret: () => secrets.appSecrets()[0] }),
      numberIds: config.numbers.map(({ id }) => id),
      timeoutMs,
      clock,
      logger,
      onRequest: (seen) => metrics.graphRequest(seen),
    });
    const onEvent = (event: PermissionEvent): void => {
      metrics.permissionReply(event.response, event.source);
      base.events.publish({ type: 'permission', data: event });
    };
    const count: PermissionCount = (...counted) => metrics.permissionCheck(...counted);
    this.permissions = createPermissionGate(this.graph, config.permissions, { clock, logger, count, onEvent });
    registerPermissionMetrics(metrics.registry, () => this.permissions.census());
    secrets.onTokenChange(() => this.graph.tokenChanged());
    const nameOf = (numberId: string): string => live.current.numbers.find(({ id }) => id === numberId)?.name ?? '';
    const directory = new CallDirectory(clock, (events) => {
      for (const { kind, numberId } of events) metrics.webhookEvent('parked_forgotten', kind, nameOf(numberId));
      logger.warn('webhooks that no call claimed', {
        events: events.map(({ kind, waCallId }) => `${kind} ${waCallId}`),
      });
    });
    this.legDeps = { graph: this.graph, media, directory, journal, observer: timeline, clock, logger };
  }

  /** What the leg of a call between this number and this trunk is to know of the codecs of both sides. */
  codecsFor(number: WaNumber, trunk: Trunk | undefined): LegCodecs {
    const status = this.#settings?.statuses().find(({ numberId }) => numberId === number.id);
    return { additionalCodecs: codecsAllowed(number, status), trunkCodecs: trunk?.codecs ?? [] };
  }

  router(
    onUserCall: WebhookRouterOptions['onUserCall'],
    seen: SeenKeys | undefined,
    settings: SettingsWatch,
  ): WebhookRouter {
    const { live, clock, ids, logger, timeline, journal, metrics } = this.base;
    this.#settings = settings;
    return new WebhookRouter({
      numbers: () => live.current.numbers,
      directory: this.legDeps.directory,
      createUserLeg: (seed) =>
        new UserInitiatedLeg({
          ...this.legDeps,
          ...seed,
          preAccept: live.current.calls.preAccept,
          codecs: this.codecsFor(seed.number, this.#trunkOf(seed)),
          logger: logger.child({ call: seed.call, leg: 'a' }),
        }),
      onUserCall,
      onSettingsChanged: (number) => settings.changed(number.id),
      onPermissionReply: (reply, number) => this.permissions.onReply(reply, number),
      count: (result, event, number) => metrics.webhookEvent(result, event, number),
      ...(seen && { seen }),
      journal,
      endAbandoned: (numberId, waCallId, call) => {
        const log = call === undefined ? logger : logger.child({ call });
        this.graph.terminate({ numberId, waCallId, logger: log }).catch((err: unknown) => {
          log.error('abandoned call could not be ended at Meta', { waCallId, err });
        });
      },
      ids,
      clock,
      observer: timeline,
      logger,
    });
  }

  /** Where a user's call will go, if it goes anywhere. */
  #trunkOf({ number, user }: UserLegSeed): Trunk | undefined {
    const { live, clock } = this.base;
    const { routes, trunks } = live.current;
    const request = { number, from: user.number, atMs: clock.now() };
    const { choice } = explainUserCall(request, routes, new Map(trunks.map((trunk) => [trunk.name, trunk])));
    return choice.ok ? choice.trunk : undefined;
  }
}
