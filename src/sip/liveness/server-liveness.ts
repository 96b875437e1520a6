import type { Clock, Timer } from '../../lib/clock.js';
import type { IdSource } from '../../lib/ids.js';
import type { Logger } from '../../lib/logger.js';
import type { OptionsPing, SipSocket } from './options-ping.js';

export interface ServerLivenessOptions {
  readonly ping: OptionsPing;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly logger: Logger;
}

/** Between two questions. */
const intervalMs = 2_000;
/** So many without an answer, one after the other, and the server is believed wedged. */
const missesToWedged = 3;

/**
 * Watches a SIP server of its own process by the way that calls take: a wedged one may keep our connection to it up and
 * answer nobody (reliability M12, F-20). It is never believed wedged before it has answered once, as a packet filter may
 * keep us from its port.
 */
export class ServerLiveness {
  /** Call-IDs that are ours begin with it. */
  readonly #mark: string;
  #sockets: readonly SipSocket[] = [];
  #timer: Timer | undefined;
  #hasAnswered = false;
  #misses = 0;
  #isRunning = false;
  #round = 0;

  constructor(private readonly options: ServerLivenessOptions) {
    this.#mark = options.ids.hex(12);
  }

  get isWedged(): boolean {
    return this.#isRunning && this.#hasAnswered && this.#misses >= missesToWedged;
  }

  /** Whether this Call-ID is of a question of ours, which comes back to us through the server. */
  isOwn(callId: string): boolean {
    return callId.startsWith(this.#mark);
  }

  /** Begins to ask the first socket of `hostPorts` (`udp/127.0.0.1:5060,tcp/...`, as a drachtio-server says it). */
  start(hostPorts: string): void {
    this.stop();
    this.#sockets = socketsOf(hostPorts);
    this.#isRunning = true;
    this.#hasAnswered = false;
    this.#misses = 0;
    this.#askLater();
  }

  /** Idempotent. */
  stop(): void {
    this.#isRunning = false;
    this.#round++;
    this.#timer?.cancel();
  }

  #askLater(): void {
    this.#timer = this.options.clock.after(intervalMs, () => void this.#ask());
  }

  async #ask(): Promise<void> {
    const [socket] = this.#sockets;
    if (!socket) return;
    const round = this.#round;
    const isAlive = await this.options.ping(socket, this.#mark + this.options.ids.hex(8)).then(
      () => true,
      () => false,
    );
    if (round !== this.#round) return;
    this.#note(isAlive);
    this.#askLater();
  }

  #note(isAlive: boolean): void {
    const wasWedged = this.isWedged;
    if (isAlive && !this.#hasAnswered) this.options.logger.debug('SIP server answers');
    this.#hasAnswered ||= isAlive;
    this.#misses = isAlive ? 0 : this.#misses + 1;
    const { logger } = this.options;
    if (this.isWedged && !wasWedged) logger.error('SIP server answers nobody: restart it', { misses: this.#misses });
    if (!this.isWedged && wasWedged) logger.info('SIP server answers again');
  }
}

/** UDP before TCP; what cannot be asked (TLS) is left out. */
export function socketsOf(hostPorts: string): SipSocket[] {
  const found = [...hostPorts.matchAll(/(?:^|,)\s*(udp|tcp)\/(?:\[([\da-f:.]+)\]|([^,\s:[\]]+)):(\d+)/gi)];
  const sockets = found.map(([, transport = '', ipv6, host, port]) => ({
    transport: transport.toLowerCase() as SipSocket['transport'],
    host: ipv6 ?? host ?? '',
    port: Number(port),
  }));
  return sockets.sort((a, b) => Number(a.transport === 'tcp') - Number(b.transport === 'tcp'));
}
