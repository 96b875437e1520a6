import type { ReceivedRtp } from '../rtp-peer.js';
import type { Sound } from './wav.js';

/** A key, and how long it was pressed. */
export interface Digit {
  readonly digit: string;
  readonly durationMs: number;
}

const names = '0123456789*#ABCD';
const eventType = 101;
const eventTicksPerMs = 8;

/** Keys in what came as telephone-events (RFC 4733): one for each timestamp, as long as its last packet says. */
export function eventsIn(packets: readonly ReceivedRtp[]): Digit[] {
  const byStart = new Map<number, Digit>();
  for (const { payloadType, timestamp, payload } of packets) {
    if (payloadType !== eventType || payload.length < 4) continue;
    const digit = names[payload[0] ?? 16] ?? '?';
    byStart.set(timestamp, { digit, durationMs: payload.readUInt16BE(2) / eventTicksPerMs });
  }
  return [...byStart.values()];
}

const rowsHz = [697, 770, 852, 941];
const columnsHz = [1209, 1336, 1477, 1633];
const pad = ['123A', '456B', '789C', '*0#D'];
const windowMs = 10;
const quietRms = 0.01;

/** Where one tone goes over into silence or the next, a window tells neither. */
const holeWindows = 3;

/** Keys in a sound, by their two tones (ITU-T Q.23); what lasts less than 40 ms is none (Q.24). */
export function digitsIn(sound: Sound): Digit[] {
  const size = Math.round((sound.rateHz * windowMs) / 1000);
  const found: { digit: string; from: number; to: number }[] = [];
  for (let window = 0; (window + 1) * size <= sound.samples.length; window++) {
    const at = window * size;
    // Windows that overlap tell tones apart that are only 70 Hz apart.
    const digit = keyOf(sound.samples.subarray(at, Math.min(sound.samples.length, at + 2 * size)), sound.rateHz);
    const last = found.at(-1);
    if (digit === '') continue;
    if (last?.digit === digit && window - last.to <= holeWindows + 1) last.to = window;
    else found.push({ digit, from: window, to: window });
  }
  return found
    .map(({ digit, from, to }) => ({ digit, durationMs: (to - from + 1) * windowMs }))
    .filter(({ durationMs }) => durationMs >= 40);
}

function keyOf(piece: Float64Array, rateHz: number): string {
  const rms = Math.sqrt(piece.reduce((sum, value) => sum + value * value, 0) / Math.max(1, piece.length));
  if (rms < quietRms) return '';
  const loudest = (all: readonly number[]): number => {
    const powers = all.map((hz) => powerAt(piece, rateHz, hz));
    const best = powers.indexOf(Math.max(...powers));
    return (powers[best] ?? 0) > 0.15 * rms * rms ? best : -1;
  };
  return pad[loudest(rowsHz)]?.[loudest(columnsHz)] ?? '';
}

/** Goertzel's algorithm; the power of a sine of this frequency is its own. */
function powerAt(samples: Float64Array, rateHz: number, hz: number): number {
  const factor = 2 * Math.cos((2 * Math.PI * hz) / rateHz);
  let [before, last] = [0, 0];
  for (const value of samples) [before, last] = [last, value + factor * last - before];
  return (2 * (last * last + before * before - factor * last * before)) / (samples.length * samples.length);
}
