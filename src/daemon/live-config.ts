import type { Config } from '../config/config.js';

/** The configuration in use. Whoever must follow a reload asks for it each time, and keeps no part of it. */
export class LiveConfig {
  #current: Config;

  constructor(config: Config) {
    this.#current = config;
  }

  get current(): Config {
    return this.#current;
  }

  replace(config: Config): void {
    this.#current = config;
  }
}
