/** Two tones that make a digit: places in `dtmfTones.all`. */
export interface TonePair {
  readonly low: number;
  readonly high: number;
  readonly digit: string;
}

const lowsHz = [697, 770, 852, 941];
const highsHz = [1209, 1336, 1477, 1633];
const rows = ['123A', '456B', '789C', '*0#D'];

/** Frequencies of the digits in Hz (ITU-T Q.23). */
export const dtmfTones = {
  /** The low group, then the high one. */
  all: [...lowsHz, ...highsHz],
  /** How many of them are of the low group. */
  lows: lowsHz.length,
  /** The digit of two places in `all`. */
  digitOf: (low: number, high: number): string => rows[low]?.[high - lowsHz.length] ?? '',
  /** Frequencies of a digit; undefined if it is none. */
  frequenciesOf: (digit: string): readonly [number, number] | undefined => {
    const row = rows.findIndex((keys) => digit.length === 1 && keys.includes(digit.toUpperCase()));
    const column = rows[row]?.indexOf(digit.toUpperCase()) ?? -1;
    const [low, high] = [lowsHz[row], highsHz[column]];
    return low === undefined || high === undefined ? undefined : [low, high];
  },
};
