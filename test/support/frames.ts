/** A frame at 8 kHz of loud sound that begins with `name`. */
export function loudPcm(name: number, samples = 160): Int16Array {
  const frame = Int16Array.from({ length: samples }, (_, i) => Math.round(8000 * Math.sin(i)));
  frame[0] = name;
  return frame;
}

/** A frame at 8 kHz of a sine at `dbfs`; 0 stands for silence. */
export function softPcm(dbfs: number, samples = 160): Int16Array {
  const peak = dbfs === 0 ? 0 : 32_768 * 10 ** (dbfs / 20);
  return Int16Array.from({ length: samples }, (_, i) => Math.round(peak * Math.sin((2 * Math.PI * i) / 16)));
}
