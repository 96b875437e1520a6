import { readFileSync, readdirSync } from 'node:fs';
import fc from 'fast-check';
import { parse, write } from 'sdp-transform';
import { describe, expect, it } from 'vitest';
import type { PbxCodec } from '../../../src/routing/types.js';
import { answerPbxOffer, buildPbxOffer, readPbxAnswer, type PbxLocal } from '../../../src/sdp/pbx-sdp.js';
import { SdpError } from '../../../src/sdp/sdp-error.js';
import { writeWhatsAppAnswer, writeWhatsAppOffer, type WhatsAppLocal } from '../../../src/sdp/whatsapp-profile.js';
import { readWhatsAppRemote } from '../../../src/sdp/whatsapp-remote.js';

const fixtures = new URL('../../fixtures/sdp/', import.meta.url);
const samples = readdirSync(fixtures)
  .filter((name) => name.endsWith('.sdp'))
  .map((name) => readFileSync(new URL(name, fixtures), 'utf8'));
const pbxOffer = [
  ...['v=0', 'o=root 1 2 IN IP4 198.51.100.7', 's=call', 'c=IN IP4 198.51.100.7', 'b=AS:80', 't=0 0'],
  ...['m=audio 4000 RTP/AVP 8 0 9 101', 'a=rtpmap:8 PCMA/8000', 'a=rtpmap:101 telephone-event/8000', 'a=fmtp:101 0-16'],
  ...['a=ptime:20', 'a=maxptime:150', 'a=rtcp:4001 IN IP4 198.51.100.7', 'a=sendrecv', 'm=video 4002 RTP/AVP 96', ''],
].join('\r\n');

const local: PbxLocal = {
  address: '192.0.2.1',
  port: 20_000,
  codecs: ['PCMA', 'PCMU'],
  sessionId: '1',
  sessionVersion: 1,
};
const whatsApp: WhatsAppLocal = {
  sessionId: '1',
  ice: { usernameFragment: 'abcd', password: 'abcdefghijklmnopqrstuv' },
  fingerprint: Array<string>(32).fill('AB').join(':'),
  ssrc: 1,
  cname: 'c0ffee',
};

/** What a mutation puts in: characters and words that SDP gives meaning to. */
const spice = fc.oneof(
  fc.string({ maxLength: 12, unit: 'binary' }),
  fc.constantFrom(
    ...[
      '\r\n',
      '\n',
      'm=audio 9 RTP/AVP 0\r\n',
      'm=',
      'a=',
      'c=IN IP4 ',
      ':',
      '/',
      ' ',
      '0',
      '-1',
      '65536',
      '1e9',
      'Infinity',
    ],
    ...[
      'NaN',
      '__proto__',
      'constructor',
      '[object Object]',
      '%s%d',
      '\0',
      '\u2028',
      'a=candidate:',
      'a=fingerprint:sha-256 ',
    ],
    ...['a=imageattr:97 send [x=1] [', 'a=simulcast: recv ', 'a=rtpmap:', '99999999999999999999', '::', 'IP6'],
  ),
);
/** Cuts, repeats, swaps and spices of a well-formed text. */
const mutation = fc.record({
  at: fc.nat(10_000),
  length: fc.nat(60),
  put: fc.oneof(spice, fc.constant('')),
  repeat: fc.integer({ min: 1, max: 3 }),
});
const mutated = fc
  .tuple(
    fc.constantFrom(...samples, pbxOffer, buildPbxOffer(local)),
    fc.array(mutation, { minLength: 1, maxLength: 6 }),
  )
  .map(([text, mutations]) =>
    mutations.reduce((sdp, { at, length, put, repeat }) => {
      const start = at % (sdp.length + 1);
      return sdp.slice(0, start) + put.repeat(repeat) + sdp.slice(start + length);
    }, text),
  );

function onlySdpError<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    expect(error).toBeInstanceOf(SdpError);
    expect(['no_codec', 'bad_request', 'not_allowed']).toContain((error as SdpError).endCode);
    return undefined;
  }
}

const mLines = (sdp: string) => sdp.split('\r\n').filter((line) => line.startsWith('m='));
/** Well-formed by RFC 8866: CRLF everywhere, each line a letter and `=`. */
function expectWellFormed(sdp: string): void {
  expect(sdp.endsWith('\r\n')).toBe(true);
  for (const line of sdp.slice(0, -2).split('\r\n')) expect(line).toMatch(/^[a-z]=[^\r\n\0]*$/);
  expect(write(parse(sdp))).toBe(sdp);
}

const runs = { numRuns: 2000 };

describe('broken descriptions', () => {
  it('never bring anything but an SdpError out of the PBX side', () => {
    fc.assert(
      fc.property(mutated, (sdp) => {
        const answer = onlySdpError(() => answerPbxOffer(sdp, local));
        onlySdpError(() => readPbxAnswer(sdp, local));
        if (!answer) return;
        expectWellFormed(answer.sdp);
        expect(mLines(answer.sdp)).toHaveLength(parse(sdp).media.length);
        expect(mLines(answer.sdp).filter((line) => !/^m=\S+ 0 /.test(line))).toHaveLength(1);
        expect(answer.media.port).toBeGreaterThanOrEqual(answer.media.address === '0.0.0.0' ? 1 : 1024);
        expect(answer.media.port).toBeLessThanOrEqual(65_535);
      }),
      runs,
    );
  });

  it('never bring anything but an SdpError out of the WhatsApp side, and never a second section into our answer', () => {
    fc.assert(
      fc.property(mutated, (sdp) => {
        const remote = onlySdpError(() => readWhatsAppRemote(sdp));
        if (!remote) return;
        expect(remote.candidates.length).toBeLessThanOrEqual(8);
        const answer = writeWhatsAppAnswer(whatsApp, remote);
        expectWellFormed(answer);
        expect(mLines(answer)).toHaveLength(1);
        expect(answer.match(/a=fingerprint/g)).toHaveLength(1);
      }),
      runs,
    );
  });

  it('cost little time, whatever they are made of', () => {
    fc.assert(
      fc.property(fc.array(spice, { maxLength: 2000 }), (parts) => {
        const sdp = `v=0\r\n${parts.join('')}`;
        const before = process.cpuUsage();
        onlySdpError(() => answerPbxOffer(sdp, local));
        onlySdpError(() => readWhatsAppRemote(sdp));
        // CPU time, in microseconds: the machine's other work is not counted.
        const { user, system } = process.cpuUsage(before);
        expect(user + system).toBeLessThan(250_000);
      }),
      { numRuns: 300 },
    );
  });
});

const anyCodecs = fc
  .uniqueArray(fc.constantFrom<PbxCodec>('PCMA', 'PCMU', 'G722', 'opus'), { minLength: 1, maxLength: 4 })
  .map((codecs) => codecs as readonly PbxCodec[]);
const anyLocal = fc.record({
  address: fc.constantFrom('192.0.2.1', '198.51.100.1'),
  port: fc.integer({ min: 10_000, max: 20_000 }),
  codecs: anyCodecs,
  sessionId: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(String),
  sessionVersion: fc.nat(1000),
  ptimeMs: fc.constantFrom(10, 20, 30, 40, 60),
});

describe('offer and answer', () => {
  it('of the PBX side: what is offered and answered is read back, and the answer is a part of the offer', () => {
    fc.assert(
      fc.property(anyLocal, anyLocal, (a, b) => {
        fc.pre(a.address !== b.address);
        const offer = buildPbxOffer(a);
        expectWellFormed(offer);
        const common = b.codecs.find((codec) => a.codecs.includes(codec));
        const answer = onlySdpError(() => answerPbxOffer(offer, b));
        expect(answer !== undefined).toBe(common !== undefined);
        if (!answer) return;
        expectWellFormed(answer.sdp);
        expect(answer.media).toMatchObject({ codec: common, address: a.address, port: a.port, ptimeMs: a.ptimeMs });
        const atA = readPbxAnswer(answer.sdp, a);
        expect(atA).toMatchObject({ codec: common, address: b.address, port: b.port, ptimeMs: a.ptimeMs });
        expect(atA.payloadType).toBe(answer.media.payloadType);
        expect(atA.telephoneEventPayloadType).toBe(answer.media.telephoneEventPayloadType);
        expect(atA.telephoneEventPayloadType).toBeDefined();
        const offered = new Set(parse(offer).media[0]?.rtp.map(({ payload }) => payload));
        for (const { payload } of parse(answer.sdp).media[0]?.rtp ?? []) expect(offered).toContain(payload);
      }),
      { numRuns: 1000 },
    );
  });

  it('of the PBX side: directions are dual', () => {
    const dual = { sendrecv: 'sendrecv', sendonly: 'recvonly', recvonly: 'sendonly', inactive: 'inactive' } as const;
    for (const [theirs, ours] of Object.entries(dual)) {
      const offer = pbxOffer.replace('a=sendrecv', `a=${theirs}`);
      const { sdp, media } = answerPbxOffer(offer, local);
      expect(media.direction).toBe(ours);
      expect(readPbxAnswer(sdp, { ...local, address: '198.51.100.7' }).direction).toBe(theirs);
    }
  });

  it('of the WhatsApp side: what we write is well-formed and read back', () => {
    const base64 = fc.stringMatching(/^[A-Za-z0-9+/]$/);
    const anyWhatsApp = fc.record({
      sessionId: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(String),
      ice: fc.record({
        usernameFragment: fc.string({ unit: base64, minLength: 4, maxLength: 32 }),
        password: fc.string({ unit: base64, minLength: 22, maxLength: 64 }),
      }),
      fingerprint: fc
        .uint8Array({ minLength: 32, maxLength: 32 })
        .map((bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join(':')),
      ssrc: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
      cname: fc.stringMatching(/^[0-9a-f]{18}$/),
    });
    fc.assert(
      fc.property(anyWhatsApp, (made) => {
        const offer = writeWhatsAppOffer(made);
        expectWellFormed(offer);
        const remote = readWhatsAppRemote(`${offer}a=candidate:1 1 udp 1 192.0.2.9 3478 typ host\r\n`);
        expect(remote).toMatchObject({ ice: made.ice, fingerprint: made.fingerprint, setup: 'actpass' });
        const answer = writeWhatsAppAnswer(made, remote);
        expectWellFormed(answer);
        expect(answer).toContain('a=setup:active\r\n');
      }),
      { numRuns: 500 },
    );
  });
});
