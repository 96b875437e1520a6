import { Gauge, type Registry } from 'prom-client';

/** Shows how many users are known here in each state of permission, when the metrics are read. */
export function registerPermissionMetrics(registry: Registry, read: () => Readonly<Record<string, number>>): void {
  const collect = function (this: Gauge<'state'>): void {
    for (const [state, users] of Object.entries(read())) this.set({ state }, users);
  };
  new Gauge({
    ...{
      name: 'sip2wa_permissions',
      help: 'Users whose permission was looked up or heard of since the start, by its state.',
    },
    ...{ labelNames: ['state'] as const, registers: [registry], collect },
  });
}
