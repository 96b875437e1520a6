import type { Dice } from '../dice.js';

type Mutation = (packet: Buffer, dice: Dice, others: readonly Buffer[]) => Buffer;

const edges = [0, 1, 2, 3, 0x7f, 0x80, 0xfe, 0xff];
const longest = 1472;

function flipped(packet: Buffer, dice: Dice): Buffer {
  const copy = Buffer.from(packet);
  for (let flips = 1 + dice.int(8); flips > 0; flips--) {
    const at = dice.int(copy.length);
    copy[at] = (copy[at] ?? 0) ^ (1 << dice.int(8));
  }
  return copy;
}

/** Lengths and counts stand in the first octets: extreme values there are what parsers trip over. */
function extreme(packet: Buffer, dice: Dice): Buffer {
  const copy = Buffer.from(packet);
  const at = dice.int(Math.min(copy.length, dice.pick([4, 16, longest])));
  copy[at] = dice.pick(edges);
  if (dice.int(2) === 0 && at + 1 < copy.length) copy[at + 1] = dice.pick(edges);
  return copy;
}

function inserted(packet: Buffer, dice: Dice): Buffer {
  const at = dice.int(packet.length + 1);
  const part = Buffer.alloc(dice.pick([1, 2, 4, 13, 64, 1000]), dice.pick(edges));
  return Buffer.concat([packet.subarray(0, at), part, packet.subarray(at)]);
}

function removed(packet: Buffer, dice: Dice): Buffer {
  const at = dice.int(packet.length);
  return Buffer.concat([packet.subarray(0, at), packet.subarray(at + 1 + dice.int(packet.length - at))]);
}

function spliced(packet: Buffer, dice: Dice, others: readonly Buffer[]): Buffer {
  const other = dice.pick(others);
  return Buffer.concat([packet.subarray(0, dice.int(packet.length + 1)), other.subarray(dice.int(other.length))]);
}

const mutations: readonly Mutation[] = [
  flipped,
  flipped,
  extreme,
  extreme,
  inserted,
  removed,
  spliced,
  (packet, dice) => packet.subarray(0, dice.int(packet.length + 1)),
  (packet, dice) => Buffer.concat(Array<Buffer>(2 + dice.int(3)).fill(packet)),
  (packet, dice) => Buffer.from(packet.map((octet) => (dice.int(4) === 0 ? dice.int(256) : octet))),
];

/** One of `samples`, mutated once to three times; a seed names its packets for good. */
export function mutatedPacket(samples: readonly Buffer[], dice: Dice): Buffer {
  let packet = dice.pick(samples);
  for (let rounds = 1 + dice.int(3); rounds > 0 && packet.length > 0; rounds--) {
    packet = dice.pick(mutations)(packet, dice, samples);
  }
  return Buffer.from(packet.subarray(0, longest));
}
