import { Counter, type Registry } from 'prom-client';

/** Counts packets for the HEP receiver that were lost. */
export function registerHepMetrics(registry: Registry, lost: () => number): void {
  const collect = function (this: Counter): void {
    this.reset();
    this.inc(lost());
  };
  new Counter({
    ...{ name: 'sip2wa_hep_dropped_total', help: 'Packets that did not reach the HEP receiver, as far as is known.' },
    ...{ registers: [registry], collect },
  });
}
