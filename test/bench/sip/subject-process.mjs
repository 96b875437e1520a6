import { Caller } from './caller.mjs';
import { Child } from './child.mjs';

const POLL_MS = 500;
/** Beyond 64·T1, in which all ends by itself. */
const SPARE_MS = 15_000;

/** The server under test in its process, and a caller for it. */
export class Subject {
  #child;
  #caller;
  #lifeMs;
  /** Calls completed and failed since the start, whatever for. */
  total = { completed: 0, failed: 0 };
  peakRss = 0;
  /** Transactions, dialogs and requests that were still in the server when they should have been gone. */
  left = 0;

  constructor(child, caller, lifeMs) {
    this.#child = child;
    this.#caller = caller;
    this.#lifeMs = lifeMs;
  }

  /** `recordFile`: where the server keeps its record of open calls; without one it keeps none. */
  static async start({ plan, core, profileDir, recordFile }) {
    const words = [String(plan.t1Ms), ...(recordFile ? [recordFile] : [])];
    const { child, hello } = await Child.start('subject.mjs', { words, core, profileDir });
    return new Subject(child, await Caller.start(hello.port), 64 * plan.t1Ms);
  }

  /** Sizes of the answers to one call, bytes, by method. */
  get answerSizes() {
    return this.#caller.answerSizes;
  }

  /** Loads the server; what it costs is not looked at. */
  async load(options) {
    const outcome = await this.#caller.load(options);
    this.total.completed += outcome.completed;
    if (!options.isTrial) this.total.failed += outcome.failed;
    return outcome;
  }

  /**
   * Loads the server and tells what a call costs it, the end of its kept transactions 64·T1 later included: CPU time of
   * the whole process over calls completed.
   */
  async measure(options) {
    const before = await this.#ask('report');
    const outcome = await this.load(options);
    const after = await this.quiet();
    return { ...outcome, cpuMsPerCall: (after.cpuMs - before.cpuMs) / outcome.completed };
  }

  /** Waits until the server has nothing left of any call, or should have. */
  async quiet() {
    const untilMs = performance.now() + this.#lifeMs + SPARE_MS;
    for (;;) {
      const report = await this.#ask('report');
      const { transactions, dialogs, pending } = report.alive;
      this.left = transactions + dialogs + pending;
      if (this.left === 0 || performance.now() > untilMs) return report;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** Memory after a full garbage collection, bytes; for a quiet server. */
  async memory() {
    const { rss, heapUsed, external, complaints } = await this.#ask('collect');
    return { calls: this.total.completed, heap: heapUsed + external, rss, complaints };
  }

  async stop() {
    this.#caller.close();
    await this.#child.stop();
  }

  async #ask(question) {
    const report = await this.#child.ask(question);
    this.peakRss = Math.max(this.peakRss, report.rss);
    return report;
  }
}
