import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { MediaMetrics } from '../../../src/observability/media-metrics.js';

const report = {
  codec: 'opus',
  intervalMs: 5000,
  received: { packets: 240, lost: 10, jitterMs: 12, mos: 3.9 },
  sent: { packets: 250, lost: 5, jitterMs: 25, mos: 4.1 },
  roundTripMs: 80,
};

async function read(registry: Registry): Promise<string[]> {
  const text = await registry.metrics();
  return text.split('\n').filter((line) => !line.startsWith('#') && !/_bucket|_sum/.test(line) && line !== '');
}

describe('metrics of media', () => {
  it('count packets, losses and the figures of quality by leg and direction', async () => {
    const registry = new Registry();
    const metrics = new MediaMetrics(registry);
    metrics.quality('whatsapp', report);
    metrics.quality('whatsapp', { ...report, sent: { packets: 250 } });
    metrics.quality('pbx', {
      codec: 'PCMA',
      intervalMs: 5000,
      received: { packets: 0, lost: 0 },
      sent: { packets: 9 },
    });
    expect(await read(registry)).toEqual([
      'sip2wa_rtp_packets_total{leg="whatsapp",dir="in"} 480',
      'sip2wa_rtp_packets_total{leg="whatsapp",dir="out"} 500',
      'sip2wa_rtp_packets_total{leg="pbx",dir="in"} 0',
      'sip2wa_rtp_packets_total{leg="pbx",dir="out"} 9',
      'sip2wa_rtp_lost_packets_total{leg="whatsapp",dir="in"} 20',
      'sip2wa_rtp_lost_packets_total{leg="whatsapp",dir="out"} 5',
      'sip2wa_rtp_lost_packets_total{leg="pbx",dir="in"} 0',
      'sip2wa_rtp_jitter_seconds_count{leg="whatsapp",dir="in"} 2',
      'sip2wa_rtp_jitter_seconds_count{leg="whatsapp",dir="out"} 1',
      'sip2wa_rtp_round_trip_seconds_count{leg="whatsapp"} 2',
      'sip2wa_rtp_mos_count{leg="whatsapp",dir="in"} 2',
      'sip2wa_rtp_mos_count{leg="whatsapp",dir="out"} 1',
    ]);
    expect(await registry.metrics()).toContain('sip2wa_rtp_jitter_seconds_bucket{le="0.02",leg="whatsapp",dir="in"} 2');
  });

  it('count troubles by their kind, and not that they are over, nor any other step', async () => {
    const registry = new Registry();
    const metrics = new MediaMetrics(registry);
    metrics.step('media.one_way', { from: 'pbx', silentMs: 5000 });
    metrics.step('media.one_way', { from: 'pbx', over: true });
    metrics.step('media.one_way', { from: 'whatsapp' });
    metrics.step('dtls.closed', { from: 'whatsapp' });
    metrics.step('sip.bye', { direction: 'in' });
    expect(await read(registry)).toEqual([
      'sip2wa_media_troubles_total{leg="pbx",kind="one_way_audio"} 1',
      'sip2wa_media_troubles_total{leg="whatsapp",kind="one_way_audio"} 1',
      'sip2wa_media_troubles_total{leg="whatsapp",kind="dtls_closed"} 1',
    ]);
  });
});
