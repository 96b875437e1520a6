import { describe, expect, it } from 'vitest';
import { remembering } from '../../../src/sip-server/sip/recent.js';

const counted = (): { readonly read: (text: string) => string | undefined; readonly asked: string[] } => {
  const asked: string[] = [];
  const read = remembering((text: string) => {
    asked.push(text);
    return text === 'nothing' ? undefined : text.toUpperCase();
  });
  return { read, asked };
};

describe('remembering', () => {
  it('reads a text once while it is asked for again and again, also one that cannot be read', () => {
    const { read, asked } = counted();
    expect(['a', 'nothing', 'a', 'nothing', 'a'].map(read)).toEqual(['A', undefined, 'A', undefined, 'A']);
    expect(asked).toEqual(['a', 'nothing']);
  });

  it('keeps the last eight, and answers right when it has forgotten', () => {
    const { read, asked } = counted();
    const texts = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'];
    const upper = texts.map((text) => text.toUpperCase());
    expect(texts.map(read)).toEqual(upper);
    expect(texts.slice(1).map(read)).toEqual(upper.slice(1));
    expect(asked).toHaveLength(9);
    expect(read('a')).toBe('A');
    expect(asked).toHaveLength(10);
    expect(read('b')).toBe('B');
    expect(asked).toHaveLength(11);
  });
});
