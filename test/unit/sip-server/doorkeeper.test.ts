import { beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import type { Admission } from '../../../src/sip-server/core/doorkeeper.js';
import { Doorkeeper, SOURCE_LIMITS } from '../../../src/sip-server/core/doorkeeper.js';
import { isOversized } from '../../../src/sip-server/core/first-look.js';
import { Overload, OVERLOAD_LIMITS } from '../../../src/sip-server/core/overload.js';
import { ContactedHosts } from '../../../src/sip-server/transport/contacted-hosts.js';
import { RecordingLogger } from '../../support/recording-logger.js';

const TRUNK = '192.0.2.7';
const STRANGER = '198.51.100.9';
const DAY_MS = 24 * 3_600_000;

let clock: FakeClock;
let log: RecordingLogger;
let contacted: ContactedHosts;
let door: Doorkeeper;

function doorkeeper(limits = SOURCE_LIMITS, isKnownSource?: (address: string) => boolean): Doorkeeper {
  return new Doorkeeper({
    ...{ clock, logger: log, limits, contacted, isKnownSource },
    hasCall: (callId) => callId === 'live@call',
    overload: new Overload(clock, OVERLOAD_LIMITS, () => ({ requests: 0, bytes: 0 }), log),
  });
}

beforeEach(() => {
  clock = new FakeClock();
  log = new RecordingLogger();
  contacted = new ContactedHosts(clock);
  door = doorkeeper(SOURCE_LIMITS, (address) => address === TRUNK);
});

const message = (start: string, callId = 'new@call'): Buffer =>
  Buffer.from(`${start}\r\nVia: SIP/2.0/UDP ${TRUNK}:5060;received=${TRUNK}\r\nCall-ID: ${callId}\r\n\r\n`);
const INVITE = message('INVITE sip:1@us SIP/2.0');
const OK = message('SIP/2.0 200 OK');
const judge = (host: string, bytes = INVITE, at = door): Admission | undefined =>
  at.judge(bytes, { protocol: 'udp', remote: { host, port: 5060 } });

describe('by source', () => {
  it.each([
    ['the address itself', TRUNK, true],
    ['IPv4-mapped IPv6', `::ffff:${TRUNK}`, true],
    ['IPv4-mapped IPv6 in capitals', `::FFFF:${TRUNK}`, true],
    ['a stranger', STRANGER, false],
    ['a stranger, IPv4-mapped, whose Via and received name the trunk', `::ffff:${STRANGER}`, false],
    ['an address the trunk’s is a beginning of', `${TRUNK}7`, false],
    ['IPv6 that ends like the trunk’s', `2001:db8::${TRUNK}`, false],
    ['the unspecified address', '0.0.0.0', false],
    ['nothing', '', false],
  ])('%s', (_what, host, isLetIn) => {
    expect(judge(host) !== undefined).toBe(isLetIn);
    expect(door.admitsConnection(host, 'tcp')).toBe(isLetIn);
  });

  it('lets all in without a list', () => {
    expect(judge(STRANGER, INVITE, doorkeeper())).toEqual({ isKnown: true, isShed: false });
  });

  it('lets answers of a contacted server in for a day, but nothing it begins', () => {
    contacted.note(`::ffff:${STRANGER}`);
    expect(judge(STRANGER, OK)).toEqual({ isKnown: false, isShed: false });
    expect(judge(STRANGER)).toBeUndefined();
    expect(door.admitsConnection(STRANGER, 'tls')).toBe(true);
    clock.advance(DAY_MS);
    expect(judge(STRANGER, OK)).toBeUndefined();
    expect(door.admitsConnection(STRANGER, 'tls')).toBe(false);
  });

  it.each([
    ['Call-ID', message('BYE sip:us SIP/2.0', 'live@call'), true],
    ['its compact form', Buffer.from('BYE sip:us SIP/2.0\r\ni : live@call\r\n\r\n'), true],
    ['a Call-ID of none', message('BYE sip:us SIP/2.0', 'live@call2'), false],
    ['none', Buffer.from('BYE sip:us SIP/2.0\r\n\r\n'), false],
  ])('lets a stranger’s message in that names a call by %s: %#', (_what, bytes, isLetIn) => {
    expect(judge(STRANGER, bytes)).toEqual(isLetIn ? { isKnown: false, isShed: false } : undefined);
  });

  it('remembers the latest 10,000 servers contacted', () => {
    for (let n = 0; n < 10_001; n++) contacted.note(`10.0.${n >> 8}.${n & 255}`);
    expect(contacted.has('10.0.0.0')).toBe(false);
    expect(contacted.has('10.0.0.1')).toBe(true);
    expect(contacted.has('10.0.39.16')).toBe(true);
  });
});

describe('by amount', () => {
  it('sheds what is above the rate, reads nothing above a multiple, and never what goes on', () => {
    const strict = doorkeeper({ perSecond: 10, burst: 20, unreadFactor: 2 });
    const outcomes = Array.from({ length: 50 }, () => judge(TRUNK, INVITE, strict)?.isShed);
    expect(outcomes.filter((isShed) => isShed === false)).toHaveLength(20);
    expect(outcomes.filter((isShed) => isShed === true)).toHaveLength(20);
    for (const start of ['ACK', 'BYE', 'CANCEL', 'PRACK', 'UPDATE']) {
      expect(judge(TRUNK, message(`${start} sip:us SIP/2.0`), strict)?.isShed).toBe(false);
    }
    expect(judge(TRUNK, OK, strict)?.isShed).toBe(false);
    expect(judge('192.0.2.8', INVITE, strict)?.isShed).toBe(false);
    clock.advance(1000);
    const later = Array.from({ length: 50 }, () => judge(TRUNK, INVITE, strict)?.isShed);
    expect(later.filter((isShed) => isShed === false)).toHaveLength(10);
  });

  it.each([
    ['16 KiB and a byte', Buffer.alloc(16 * 1024 + 1, 'x'), true],
    ['a line of 8 KiB and a byte', Buffer.from(`INVITE x\r\nX: ${'y'.repeat(8190)}\r\n\r\n`), true],
    ['257 lines', Buffer.from(`INVITE x\r\n${`X: ${'y'.repeat(20)}\r\n`.repeat(256)}\r\n`), true],
    ['256 lines', Buffer.from(`INVITE x\r\n${`X: ${'y'.repeat(20)}\r\n`.repeat(255)}\r\n`), false],
    ['a body of 1,000 lines', Buffer.from(`INVITE x\r\n\r\n${'a=candidat\r\n'.repeat(1000)}`), false],
    ['an ordinary INVITE', INVITE, false],
  ])('takes no message of %s, if that is too much', (_what, bytes, isTooMuch) => {
    expect(isOversized(bytes)).toBe(isTooMuch);
    expect(judge(TRUNK, bytes) === undefined).toBe(isTooMuch);
  });
});

it('sheds new requests of all in overload, and never what goes on', () => {
  const limits = { ...OVERLOAD_LIMITS, requests: [1, 1] as const };
  const busy = new Doorkeeper({
    ...{ clock, logger: log, limits: SOURCE_LIMITS, contacted, isKnownSource: undefined },
    hasCall: () => false,
    overload: new Overload(clock, limits, () => ({ requests: 1, bytes: 0 }), log),
  });
  expect(judge(TRUNK, INVITE, busy)?.isShed).toBe(false);
  clock.advance(100);
  expect(judge(TRUNK, INVITE, busy)?.isShed).toBe(true);
  expect(judge(STRANGER, INVITE, busy)?.isShed).toBe(true);
  expect(judge(TRUNK, message('BYE sip:us SIP/2.0'), busy)?.isShed).toBe(false);
});
