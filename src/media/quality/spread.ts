/** Least, greatest and mean of values as they come; undefined as long as none came. */
export class Spread {
  min: number | undefined;
  max: number | undefined;
  #sum = 0;
  #count = 0;

  add(value: number | undefined): void {
    if (value === undefined) return;
    this.min = Math.min(value, this.min ?? value);
    this.max = Math.max(value, this.max ?? value);
    this.#sum += value;
    this.#count++;
  }

  get avg(): number | undefined {
    return this.#count === 0 ? undefined : this.#sum / this.#count;
  }
}
