import type { Dice } from './dice.js';

/*
 * Webhooks as nobody at Meta wrote them. Every mutation is chosen by a seeded generator, so that a number names an input for
 * good.
 */

type Tree = unknown;
type Branch = Record<string, Tree>;
interface Place {
  readonly parent: Branch;
  readonly key: string;
}

/** Every place of a JSON document. */
function places(tree: Tree, found: Place[] = []): Place[] {
  if (typeof tree !== 'object' || tree === null) return found;
  for (const key of Object.keys(tree)) {
    found.push({ parent: tree as Branch, key });
    places((tree as Branch)[key], found);
  }
  return found;
}

const odd: readonly unknown[] = [
  ...[null, true, false, 0, -1, -0, 1.5, 1e308, 2 ** 53, '', ' ', '0', '-1', '1e5', 'NaN', 'null', 'true'],
  ...[
    '\u0000',
    '\ud800',
    '\udc00\ud800',
    '١٢٣',
    '\u202e',
    '\r\nX-Evil: 1',
    '"',
    '<script>',
    '../../etc/passwd',
    'x'.repeat(5000),
  ],
  ...[
    '__proto__',
    'constructor',
    'RINGING',
    'connect',
    'terminate',
    'BUSINESS_INITIATED',
    'v=0\r\n',
    '{"sdp":"v=0","type":"offer"}',
  ],
  ...[[], {}, [[]], [null], [{}], ['a', 'b'], { id: 'x' }, { length: 1e9 }, { toString: 1 }, { then: true }],
];

const evilKeys = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'valueOf',
  'hasOwnProperty',
  'then',
  'toJSON',
  '',
];

type TreeMutation = (tree: Tree, at: Place, dice: Dice) => void;

function removed({ parent, key }: Place): void {
  Reflect.deleteProperty(parent, key);
  // What is gone from a list leaves no null.
  if (Array.isArray(parent) && /^\d+$/.test(key)) parent.copyWithin(Number(key), Number(key) + 1).length--;
}

/** Stands for what is nested too deep to be built as a tree. */
const deepMark = 'nested deep';

function nested(dice: Dice): string {
  const depth = dice.pick([8, 60, 63, 70, 500, 5000, 50_000]);
  const [open, shut] = dice.pick([
    ['[', ']'],
    ['{"calls":', '}'],
  ] as const);
  return `${open.repeat(depth)}0${dice.int(4) === 0 ? '' : shut.repeat(depth)}`;
}

const treeMutations: readonly TreeMutation[] = [
  (_, at) => removed(at),
  // A copy: what is put in twice and mutated could come to hold itself.
  (_, { parent, key }, dice) => (parent[key] = structuredClone(dice.pick(odd))),
  (tree, { parent, key }, dice) => {
    const other = dice.pick(places(tree));
    const [one, two] = structuredClone([parent[key], other.parent[other.key]]);
    [parent[key], other.parent[other.key]] = [two, one];
  },
  // Numbers as strings, strings as numbers, one as a list of one, a list as its first.
  (_, { parent, key }) => {
    const value = parent[key];
    if (typeof value === 'number') parent[key] = String(value);
    else if (typeof value === 'string') parent[key] = Number(value);
    else parent[key] = value === true ? 'true' : 1;
  },
  (_, { parent, key }) => (parent[key] = [parent[key]]),
  (_, { parent, key }) =>
    (parent[key] = Array.isArray(parent[key]) ? (parent[key] as unknown[])[0] : { value: parent[key] }),
  (_, { parent, key }) => (parent[key] = deepMark),
  (_, { parent, key }, dice) => {
    const value = parent[key];
    const isSmall = Array.isArray(value) && places(value).length < 100;
    if (isSmall) parent[key] = Array.from({ length: dice.pick([2, 20, 300]) }, () => value[0] as unknown);
  },
  (_, { parent, key }, dice) => {
    const text = typeof parent[key] === 'string' ? parent[key] : '';
    const at = dice.int(text.length + 1);
    parent[key] =
      `${text.slice(0, at)}${dice.pick(['\ud83d', '\u0000', '\r\n', '🙂', '%00', '\\', '"'])}${text.slice(at)}`;
  },
  (_, { parent, key }, dice) => {
    if (Array.isArray(parent)) return;
    const renamed = dice.pick([...evilKeys, key.toUpperCase(), ` ${key}`]);
    Object.defineProperty(parent, renamed, {
      value: parent[key],
      enumerable: true,
      configurable: true,
      writable: true,
    });
    removed({ parent, key });
  },
];

const polluting = [
  '"__proto__":{"polluted":"yes","calls":[]},',
  '"constructor":{"prototype":{"polluted":"yes"}},',
  '"__proto__":null,',
  '"entry":[],',
  '"object":"other",',
  '"id":"wacid.OTHER",',
  '"value":{},',
];

type TextMutation = (text: string, dice: Dice) => string;

const cutIn = (text: string, at: number, part: string): string => text.slice(0, at) + part + text.slice(at);

/** A token of the text, and where it stands; the first after a random place. */
function token(text: string, dice: Dice): { readonly at: number; readonly word: string } {
  const words = /"(?:[^"\\]|\\.)*"|[{}[\]:,]|[\w.+-]+/g;
  words.lastIndex = dice.int(text.length + 1);
  const found = words.exec(text);
  return found ? { at: found.index, word: found[0] } : { at: text.length, word: '' };
}

const textMutations: readonly TextMutation[] = [
  (text, dice) => {
    const { at, word } = token(text, dice);
    return text.slice(0, at) + text.slice(at + word.length);
  },
  (text, dice) => {
    const { at, word } = token(text, dice);
    return cutIn(text, at, word);
  },
  (text, dice) => {
    const [one, other] = [token(text, dice), token(text, dice)];
    return text.slice(0, one.at) + other.word + text.slice(one.at + one.word.length);
  },
  // The same key twice, and keys that every object has.
  (text, dice) => {
    const brace = text.indexOf('{', dice.int(text.length + 1));
    return brace < 0 ? text : cutIn(text, brace + 1, dice.pick(polluting));
  },
  (text, dice) => text.slice(0, dice.int(text.length + 1)),
  (text, dice) =>
    text.replace(/"(?:[^"\\]|\\.)*"/, `"${dice.pick(['\\ud800', '\\udfff\\ud800', '\\u0000', '\\u00e9'])}"`),
];

const brokenUtf8 = ['c3 28', 'ff', 'fe ff', 'e2 82', 'f0 28 8c bc', 'ed a0 80', 'c0 af', 'ef bb bf'].map((hex) =>
  Buffer.from(hex.replaceAll(' ', ''), 'hex'),
);

function mutatedBytes(bytes: Buffer, dice: Dice): Buffer {
  const copy = Buffer.from(bytes);
  if (copy.length === 0) return copy;
  const at = dice.int(copy.length);
  switch (dice.int(4)) {
    case 0:
      copy[at]! ^= 1 << dice.int(8);
      return copy;
    case 1:
      return Buffer.concat([copy.subarray(0, at), dice.pick(brokenUtf8), copy.subarray(at)]);
    case 2:
      return Buffer.concat([copy.subarray(0, at), copy.subarray(Math.min(copy.length, at + 1 + dice.int(16)))]);
    default:
      copy[at] = dice.int(256);
      return copy;
  }
}

/** One string of a body made longer than anybody expects, up to just under the listener's cap. */
function inflated(text: string, dice: Dice): string {
  const unit = dice.pick(['x', '\\u0041', '🙂', '[', '\\\\', '1', 'wacid.']);
  const bytes = dice.pick([10_000, 100_000, 900_000]);
  return text.replace(/"[^"]*"(?=[,}\]])/, `"${unit.repeat(Math.floor(bytes / Buffer.byteLength(unit)))}"`);
}

/** One body after up to four mutations; some are left as they were. */
export function mutated(seed: string, dice: Dice): Buffer {
  let text = seed;
  const rounds = dice.int(4);
  if (rounds > 0 && dice.int(3) > 0) {
    const tree: unknown = JSON.parse(text);
    for (let round = 0; round < rounds; round++) {
      const found = places(tree);
      if (found.length > 0) dice.pick(treeMutations)(tree, dice.pick(found), dice);
    }
    text = JSON.stringify(tree).replaceAll(`"${deepMark}"`, () => nested(dice));
  }
  for (let round = dice.int(4) === 0 ? 1 + dice.int(2) : 0; round > 0; round--)
    text = dice.pick(textMutations)(text, dice);
  if (dice.int(1000) === 0) text = inflated(text, dice);
  let bytes: Buffer = Buffer.from(text);
  for (let round = dice.int(4) === 0 ? 1 + dice.int(3) : 0; round > 0; round--) bytes = mutatedBytes(bytes, dice);
  return bytes;
}
