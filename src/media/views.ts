/** Views of one memory from one place on, of any length, each made once: a new one is an object of a hundred bytes for every packet. */
export class Views {
  readonly #views: (Buffer | undefined)[] = [];

  constructor(
    private readonly memory: Buffer,
    private readonly start = 0,
  ) {}

  /** The first `length` bytes. */
  of(length: number): Buffer {
    return (this.#views[length] ??= this.memory.subarray(this.start, this.start + length));
  }
}
