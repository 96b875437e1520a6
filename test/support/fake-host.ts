import { EventEmitter } from 'node:events';

/** `process` as far as a command sees it. */
export class FakeHost extends EventEmitter {
  readonly exits: number[] = [];

  exit(code: number): void {
    this.exits.push(code);
  }
}
