import { beforeEach, describe, expect, it } from 'vitest';
import type { CallId } from '../../../../src/lib/ids.js';
import { RtcpReports } from '../../../../src/observability/hep/rtcp-reports.js';

const call = '01CALL' as CallId;
const message = (...sdp: string[]): string =>
  ['INVITE sip:a SIP/2.0', 'Call-ID: c=IN IP4 9.9.9.9', '', 'v=0', ...sdp, ''].join('\r\n');
const received = { packets: 240, lost: 10, jitterMs: 12.5, mos: 4.1 };
const sent = { packets: 250, lost: 5, jitterMs: 4, mos: 4.2 };

describe('quality reports as Homer takes RTCP', () => {
  let reports: RtcpReports;
  beforeEach(() => {
    reports = new RtcpReports();
    reports.heard(call, message('c=IN IP4 10.0.0.1', 'm=audio 20000 RTP/AVP 8'), true);
    reports.heard(call, message('c=IN IP4 1.2.3.4', 'm=audio 40000 RTP/AVP 8', 'c=IN IP4 10.0.0.9'), false);
  });
  const of = (side: 'pbx' | 'whatsapp', report: object = {}) =>
    reports
      .of({ call, side, report: { codec: 'PCMA', intervalMs: 5000, received, sent, ...report } })
      .map(({ json, ...between }) => ({ ...between, said: JSON.parse(json) as unknown }));

  it('are one of ours and one of the far end, between the places that the SDP names', () => {
    const [ours, theirs] = of('pbx', { roundTripMs: 30 });
    const [local, remote] = [
      { address: '10.0.0.1', port: 20_001 },
      { address: '10.0.0.9', port: 40_001 },
    ];
    expect(ours).toEqual({
      from: local,
      to: remote,
      said: {
        ...{ type: 200, report_count: 1, codec: 'PCMA', mos: 4.1, round_trip_ms: 30 },
        sender_information: { packets: 250 },
        report_blocks: [{ fraction_lost: 10, packets_lost: 10, ia_jitter: 100 }],
      },
    });
    expect(theirs).toMatchObject({
      ...{ from: remote, to: local },
      said: {
        sender_information: { packets: 250 },
        report_blocks: [{ fraction_lost: 5, packets_lost: 5, ia_jitter: 32 }],
      },
    });
  });

  it('add up over a call, each side for itself', () => {
    of('pbx');
    of('whatsapp');
    const [ours, theirs] = of('pbx');
    expect(ours?.said).toMatchObject({
      sender_information: { packets: 500 },
      report_blocks: [{ fraction_lost: 10, packets_lost: 20 }],
    });
    expect(theirs?.said).toMatchObject({ report_blocks: [{ packets_lost: 10 }] });
  });

  it('have the ticks of Opus, and no addresses of WhatsApp: no SIP tells them', () => {
    const nowhere = { address: '0.0.0.0', port: 0 };
    expect(of('whatsapp', { codec: 'opus' })[0]).toMatchObject({
      ...{ from: nowhere, to: nowhere },
      said: { report_blocks: [{ ia_jitter: 600 }] },
    });
  });

  it('say nothing for a far end that reported nothing, and make nothing up', () => {
    const [ours, ...more] = of('pbx', { received: { packets: 0 }, sent: { packets: 250 } });
    expect(more).toEqual([]);
    expect(ours?.said).toEqual({
      ...{ type: 200, report_count: 1, codec: 'PCMA', sender_information: { packets: 250 } },
      report_blocks: [{ fraction_lost: 0, packets_lost: 0, ia_jitter: 0 }],
    });
  });

  it('begin anew with the next call, and take no place from what is no audio', () => {
    reports.forget(call);
    reports.heard(call, message('c=IN IP4 10.0.0.1', 'm=audio 0 RTP/AVP 8'), true);
    reports.heard(call, 'BYE sip:a SIP/2.0\r\nCall-ID: x\r\n\r\n', false);
    expect(of('pbx')[0]).toMatchObject({
      from: { port: 0 },
      to: { port: 0 },
      said: { sender_information: { packets: 250 } },
    });
  });
});
