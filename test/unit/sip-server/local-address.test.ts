import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { LocalAddresses } from '../../../src/sip-server/transport/local-address.js';

/** A kernel that answers with what is next in the list. */
function scripted(...answers: (string | undefined)[]): {
  addresses: LocalAddresses;
  clock: FakeClock;
  asked: string[];
} {
  const clock = new FakeClock();
  const asked: string[] = [];
  const probe = (peer: string): Promise<string | undefined> => {
    asked.push(peer);
    return Promise.resolve(answers.shift());
  };
  return { addresses: new LocalAddresses(clock, probe), clock, asked };
}

describe('LocalAddresses', () => {
  it('asks once for a peer, and again after a while: addresses change', async () => {
    const { addresses, clock, asked } = scripted('192.0.2.1', '192.0.2.2');
    const both = await Promise.all([addresses.towards('198.51.100.1'), addresses.towards('198.51.100.1')]);
    clock.advance(29_999);
    expect([...both, await addresses.towards('198.51.100.1')]).toEqual(['192.0.2.1', '192.0.2.1', '192.0.2.1']);
    expect(asked).toHaveLength(1);
    clock.advance(1);
    expect(await addresses.towards('198.51.100.1')).toBe('192.0.2.2');
    expect(asked).toHaveLength(2);
  });

  it('tells what was said last without asking, however long ago, and nothing before', async () => {
    const { addresses, clock, asked } = scripted('192.0.2.1', undefined);
    expect(addresses.latest('198.51.100.1')).toBeUndefined();
    await addresses.towards('198.51.100.1');
    clock.advance(3_600_000);
    expect([addresses.latest('198.51.100.1'), addresses.latest('198.51.100.2')]).toEqual(['192.0.2.1', undefined]);
    expect(asked).toEqual(['198.51.100.1']);
  });

  it.each([undefined, '0.0.0.0', '::'])('does not remember %s', async (nothing) => {
    const { addresses } = scripted(nothing, '192.0.2.1');
    expect(await addresses.towards('198.51.100.1')).toBe('127.0.0.1');
    expect(await addresses.towards('198.51.100.1')).toBe('192.0.2.1');
  });

  it('shows the loopback of the peer’s family when there is no way', async () => {
    expect(await scripted(undefined).addresses.towards('2001:db8::1')).toBe('::1');
  });
});
