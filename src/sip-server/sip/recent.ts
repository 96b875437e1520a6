import { ownText } from './own-text.js';

/** So many results are kept: enough for the addresses and Vias of the messages under way at one moment. */
const PLACES = 16;

/** The one place where a text may be kept. Texts of one message differ in length and end, as a rule. */
const placeOf = (text: string): number =>
  (7 * text.length + text.charCodeAt(text.length - 1) + 3 * text.charCodeAt(text.length >> 1)) & (PLACES - 1);

/**
 * Makes a pure reader that keeps its last few results. While a message is handled its From, To, Contact and Via are
 * read again and again, by layers that know nothing of each other, and reading them is the dearest part of a message.
 */
export function remembering<T>(read: (text: string) => T): (text: string) => T {
  const kept = Array.from({ length: PLACES }, (): { text: string; result: T } | undefined => undefined);
  return (text) => {
    const place = placeOf(text);
    const known = kept[place];
    if (known?.text === text) return known.result;
    const result = read(text);
    kept[place] = { text, result };
    return result;
  };
}

const MAX_WORDS = 256;
/** Nobody's header names are longer, but for those who want to fill our memory. */
const MAX_WORD_CHARS = 40;

/** Makes a pure reader of words that all messages have in common, such as the names of headers, that keeps its results. */
export function learning<T>(read: (word: string) => T): (word: string) => T {
  const known = new Map<string, T>();
  return (word) => {
    const found = known.get(word);
    if (found !== undefined) return found;
    if (word.length > MAX_WORD_CHARS) return read(word);
    const own = ownText(word);
    const result = read(own);
    if (known.size >= MAX_WORDS) known.clear();
    known.set(own, result);
    return result;
  };
}
