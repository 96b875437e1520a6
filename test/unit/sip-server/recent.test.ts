import { describe, expect, it } from 'vitest';
import { learning, remembering } from '../../../src/sip-server/sip/recent.js';

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

  it('keeps a few, and answers right when it has forgotten', () => {
    const { read, asked } = counted();
    const texts = Array.from({ length: 200 }, (_, n) => `text ${n}`);
    const upper = texts.map((text) => text.toUpperCase());
    expect(texts.map(read)).toEqual(upper);
    expect(texts.reverse().map(read)).toEqual(upper.reverse());
    expect(asked.length).toBeGreaterThanOrEqual(400 - 16);
    expect(read('')).toBe('');
  });
});

describe('learning', () => {
  const counting = (): { readonly read: (word: string) => boolean; readonly asked: string[] } => {
    const asked: string[] = [];
    return { asked, read: learning((word: string) => asked.push(word) > 0 && word.startsWith('x')) };
  };

  it('reads a word once, whatever comes of it', () => {
    const { read, asked } = counting();
    expect(['x1', 'y', 'x1', 'y'].map(read)).toEqual([true, false, true, false]);
    expect(asked).toEqual(['x1', 'y']);
  });

  it('keeps neither long words nor more than some hundred', () => {
    const { read, asked } = counting();
    const long = 'x'.repeat(41);
    expect([read(long), read(long)]).toEqual([true, true]);
    expect(asked).toEqual([long, long]);
    for (let n = 0; n < 1_000; n++) expect(read(`x${n}`)).toBe(true);
    expect(read('x0')).toBe(true);
    expect(asked.filter((word) => word === 'x0')).toHaveLength(2);
  });
});
