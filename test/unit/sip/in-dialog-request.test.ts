import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import { FakeClock } from '../../../src/lib/clock.js';
import { systemIds } from '../../../src/lib/ids.js';
import type { SipServer, Trunk } from '../../../src/routing/types.js';
import { TrunkLogins } from '../../../src/sip/digest/trunk-login.js';
import type { SrfHeaders, SrfResponse } from '../../../src/sip/drachtio-types.js';
import { frameLimitBytes } from '../../../src/sip/frame-room.js';
import { requestInDialog } from '../../../src/sip/in-dialog-request.js';
import { ServerAddresses } from '../../../src/sip/server-addresses.js';
import { reasonHeader } from '../../../src/sip/sip-headers.js';
import { addressDns } from '../../support/dns-fakes.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { sceneAuth, sceneTrunk } from '../../support/sip-scene.js';

const server: SipServer = {
  ...{ hostname: '10.0.0.5', port: 5060, transport: 'udp', priority: 1, weight: 1, requestUriUserParams: {} },
};

interface Sizes {
  /** Of Call-ID and tag together. */
  readonly name: number;
  readonly target: number;
  /** Of nonce and opaque of each challenge. */
  readonly echo: number;
  readonly user: number;
  readonly text: string;
}
const small: Sizes = { name: 40, target: 60, echo: 60, user: 10, text: 'bye' };
const most: Sizes = { name: 1_024, target: 1_024, echo: 757, user: 64, text: '👍'.repeat(160) };

/** Sends a request to a peer that wants credentials for a proxy, then for a server too; what was sent. */
function challenged(sizes: Sizes, request: Omit<Parameters<typeof requestInDialog>[1], 'headers'>, extra: SrfHeaders) {
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const places = { dns: addressDns(() => Promise.resolve([])), random: () => 0, dnsMs: 100, dnsRefreshMs: 1_000 };
  const logins = new TrunkLogins(new ServerAddresses({ ...places, clock, logger }), systemIds, logger);
  const auth = {
    ...sceneAuth,
    username: 'u'.repeat(sizes.user),
    realm: 'pbx.example',
    algorithms: ['SHA-256'],
  } as const;
  const trunk: Trunk = { ...sceneTrunk, servers: [server], auth };
  const uri = `sip:p@10.0.0.5;x=`.padEnd(sizes.target, 'x');
  const id = `${'c'.repeat(sizes.name - 8)};from-tag=tagtagta`;
  const sent: { headers: SrfHeaders; body: string | undefined }[] = [];
  const statuses: (number | undefined)[] = [];
  const answers = [407, 401, 200];
  requestInDialog(
    {
      logger,
      login: () => logins.loginInDialog(trunk, '10.0.0.5'),
      dialog: {
        id,
        request: ({ headers = {}, body }, callback) => {
          sent.push({ headers, body });
          const status = answers.shift() ?? 500;
          const nonce = `${status}`.padEnd(sizes.echo - 2, 'n');
          const get = (): string =>
            `Digest realm="pbx.example", nonce="${nonce}", opaque="op", algorithm=SHA-256, qop="auth"`;
          callback(null, { status, source_address: '10.0.0.5', get, req: { uri } } as unknown as SrfResponse);
        },
      },
    },
    { ...request, headers: { ...extra, ...(request.method === 'BYE' ? { Reason: reasonOf(sizes) } : {}) } },
    (status) => void statuses.push(status),
  );
  const frame = ({ headers, body = '' }: (typeof sent)[number]): string =>
    `${'i'.repeat(36)}|sip||${id}\r\n${request.method} sip:placeholder SIP/2.0\r\n` +
    Object.entries(headers)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('') +
    `Content-Length: ${body.length}\r\n\r\n${body}`;
  return { sent, statuses, logger, uri, frames: sent.map((each) => Buffer.byteLength(frame(each))) };
}

const reasonOf = ({ text }: Sizes): string => reasonHeader(endReason('hangup', { text }));
const digestUri = (value = ''): string => / uri="([^"]*)"/.exec(value)?.[1] ?? '';

describe('a request in a dialog that a proxy and a server want credentials for', () => {
  it('is left as it is where there is room', () => {
    const { sent, statuses, logger, uri } = challenged(small, { method: 'BYE' }, {});
    expect(statuses).toEqual([200]);
    expect(sent.map(({ headers }) => headers['Reason'])).toEqual(Array(3).fill(reasonOf(small)));
    expect(sent.map(({ headers }) => digestUri(headers['Proxy-Authorization']))).toEqual(['', uri, uri]);
    expect(logger.lines).toEqual([]);
  });

  it('loses the text of its Reason first, then the Reason, then of its URI what names no host', () => {
    const seen = new Set<string>();
    for (let name = 20; name <= most.name; name += 4) {
      const sizes = { ...most, name, echo: 700, target: 500, text: 'y'.repeat(160) };
      const { sent, frames, statuses } = challenged(sizes, { method: 'BYE' }, {});
      expect(statuses).toEqual([200]);
      expect(Math.max(...frames)).toBeLessThan(frameLimitBytes);
      const { Reason: reason = 'none', Authorization: proof } = sent[2]!.headers;
      seen.add(`${reason.replace(/y+/, 'y')} ${digestUri(proof).length}`);
    }
    expect([...seen]).toEqual([
      'Q.850;cause=16;text="y" 500',
      'Q.850;cause=16 500',
      'none 500',
      'Q.850;cause=16;text="y" 12',
    ]);
  });

  it.each([
    ['INFO', { 'Content-Type': 'application/dtmf-relay' }, 'Signal=5\r\nDuration=160\r\n'],
    [
      'NOTIFY',
      { Contact: '<sip:10.0.0.1:5060;transport=tls>', Event: 'refer;id=2', 'Subscription-State': 'active;expires=60' },
      'SIP/2.0 100 Trying\r\n',
    ],
    ['PRACK', { RAck: '1 1 INVITE' }, undefined],
  ] as const)('fits with both, whatever the PBX called itself: %s', (method, headers, body) => {
    const request = body === undefined ? { method } : { method, body };
    const { frames, statuses, sent } = challenged(most, request, headers);
    expect(statuses).toEqual([200]);
    expect(sent[2]!.headers).toMatchObject({
      ...headers,
      Authorization: expect.stringContaining('401n') as unknown,
      'Proxy-Authorization': expect.stringContaining('407n') as unknown,
    });
    expect(Math.max(...frames)).toBeLessThan(frameLimitBytes);
  });

  it('always fits as a BYE, with as much of what it says as there is room for', () => {
    const sizes = fc.record({
      name: fc.integer({ min: 20, max: most.name }),
      target: fc.integer({ min: 20, max: most.target }),
      echo: fc.integer({ min: 10, max: most.echo }),
      user: fc.integer({ min: 1, max: most.user }),
      text: fc.string({ unit: 'grapheme', maxLength: 160 }),
    });
    let shortened = 0;
    fc.assert(
      fc.property(sizes, (each) => {
        const { frames, statuses, sent, uri } = challenged(each, { method: 'BYE' }, {});
        expect(statuses).toEqual([200]);
        expect(sent).toHaveLength(3);
        expect(Math.max(...frames)).toBeLessThan(frameLimitBytes);
        const { headers } = sent[2]!;
        const isWhole = headers['Reason'] === reasonOf(each) && digestUri(headers['Authorization']) === uri;
        if (isWhole) return;
        shortened++;
        const [reason, whole] = [Buffer.byteLength(reasonOf(each)) + 10, 2 * uri.length];
        expect(frames[2]! + reason + whole).toBeGreaterThan(frameLimitBytes - 100);
      }),
      { numRuns: 300 },
    );
    expect(shortened).toBeGreaterThan(10);
  });

  it('counts its nonce once a request, also when its URI was shortened', () => {
    const { sent } = challenged(most, { method: 'BYE' }, {});
    const counts = sent.map(({ headers }) => /nc=(\d+)/.exec(headers['Proxy-Authorization'] ?? '')?.[1]);
    expect(counts).toEqual([undefined, '00000001', '00000002']);
  });
});
