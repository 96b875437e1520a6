import { describe, expect, it } from 'vitest';
import { writeWhatsAppAnswer, writeWhatsAppOffer, type WhatsAppLocal } from '../../../src/sdp/whatsapp-profile.js';
import { readWhatsAppRemote, withChosenFormat } from '../../../src/sdp/whatsapp-remote.js';
import { readFixture } from '../../support/fixtures.js';

const local: WhatsAppLocal = {
  sessionId: '1',
  ice: { usernameFragment: 'abcd', password: 'abcdefghijklmnopqrstuv' },
  fingerprint: Array.from({ length: 32 }, () => 'AB').join(':'),
  ssrc: 1,
  cname: 'c0ffee',
};
/** Meta's answer of its documents, which lists `111 9 0 8 110 126`. */
const businessAnswer = readFixture('sdp/meta-business-initiated-answer-from-meta.sdp').replaceAll(/\r?\n/g, '\r\n');
const lineOf = (sdp: string): string | undefined => /^m=audio.*SAVPF (.*)\r$/m.exec(sdp)?.[1];

describe('codecs of the WhatsApp side beside Opus', () => {
  it('stand in our offer in the order that is wanted, and nowhere without being asked for', () => {
    expect(lineOf(writeWhatsAppOffer(local))).toBe('111 126');
    const offer = writeWhatsAppOffer(local, ['PCMU', 'opus']);
    expect(lineOf(offer)).toBe('0 111 126');
    expect(offer).toContain(
      'a=rtpmap:0 PCMU/8000\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:126 telephone-event/8000\r\n',
    );
    expect(offer.match(/a=fmtp/g)).toHaveLength(1);
  });

  it('are read in the order of the SDP, and of them only those that we take', () => {
    const codecsOf = (codecs: Parameters<typeof readWhatsAppRemote>[1]): string[] =>
      readWhatsAppRemote(businessAnswer, codecs).formats.map(({ codec, payloadType }) => `${codec} ${payloadType}`);
    expect(codecsOf(undefined)).toEqual(['opus 111']);
    expect(codecsOf(['PCMA', 'opus'])).toEqual(['opus 111', 'PCMA 8']);
    expect(codecsOf(['PCMA', 'PCMU'])).toEqual(['PCMU 0', 'PCMA 8']);
  });

  it('are known by their static number alone (RFC 3551)', () => {
    const bare = businessAnswer.replace(/a=rtpmap:8 PCMA\/8000\r\n/, '');
    expect(bare).not.toBe(businessAnswer);
    expect(readWhatsAppRemote(bare, ['PCMA']).formats).toEqual([{ codec: 'PCMA', payloadType: 8, clockRate: 8000 }]);
  });

  it('are answered with the one that we like best of those that Meta offers', () => {
    const chosen = (codecs: NonNullable<Parameters<typeof readWhatsAppRemote>[1]>): string | undefined =>
      lineOf(writeWhatsAppAnswer(local, withChosenFormat(readWhatsAppRemote(businessAnswer, codecs), codecs)));
    expect(chosen(['PCMA', 'opus'])).toBe('8 126');
    expect(chosen(['opus', 'PCMA'])).toBe('111 126');
    expect(chosen(['opus'])).toBe('111 126');
  });

  it('are not there in Meta’s offer after all: Opus it is', () => {
    const opusOnly = businessAnswer.replace('SAVPF 111 9 0 8 110 126', 'SAVPF 111 110 126');
    const remote = readWhatsAppRemote(opusOnly, ['PCMA', 'opus']);
    expect(withChosenFormat(remote, ['PCMA', 'opus']).formats.map(({ codec }) => codec)).toEqual(['opus']);
  });

  it('no codec that we take is an error that names them', () => {
    const strange = businessAnswer.replace('SAVPF 111 9 0 8 110 126', 'SAVPF 9 110 126');
    expect(() => readWhatsAppRemote(strange, ['PCMA', 'opus'])).toThrow(
      expect.objectContaining({ endCode: 'no_codec', message: 'SDP has no PCMA/8000 and no opus/48000/2' }),
    );
  });
});
