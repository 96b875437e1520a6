import { Counter, Gauge, type Registry } from 'prom-client';
import type { MediaSide } from '../call/media-quality.js';
import type { MediaUsage } from '../media/media-usage.js';

/** Shows what the media engine uses, when the metrics are read. `limits`: ports that there are for each side; absent: any. */
export function registerMediaUsageMetrics(
  registry: Registry,
  usage: () => MediaUsage,
  limits: Partial<Record<MediaSide, number>>,
): void {
  gauge(registry, 'ports_in_use', 'UDP ports that are bound for media of the leg, those of RTCP included.', () => {
    const { rtpPorts, webrtcPorts } = usage();
    return { pbx: rtpPorts, whatsapp: webrtcPorts };
  });
  gauge(registry, 'ports_limit', 'UDP ports that there are for media of the leg.', () => limits);
  const frames = (): MediaUsage['transcoded'] => usage().transcoded;
  const collect = function (this: Counter<'from' | 'to'>): void {
    this.reset();
    for (const { from, to, frames: count } of frames()) this.inc({ from, to }, count);
  };
  new Counter({
    ...{ name: 'sip2wa_transcode_frames_total', help: 'Audio frames that were coded anew, by codec.' },
    ...{ labelNames: ['from', 'to'] as const, registers: [registry], collect },
  });
}

function gauge(registry: Registry, name: string, help: string, read: () => Partial<Record<MediaSide, number>>): void {
  const collect = function (this: Gauge<'leg'>): void {
    for (const [leg, value] of Object.entries(read())) this.set({ leg }, value);
  };
  const common = { name: `sip2wa_${name}`, help, labelNames: ['leg'] as const };
  new Gauge({ ...common, registers: [registry], collect });
}
