import { PeerProcess } from './child.js';
import { NgClient, type NgDictionary } from './ng.js';

const ngPort = 2223;

/** rtpengine in userspace: an independent relay that speaks ICE-lite and DTLS-SRTP (OpenSSL). */
export class RtpEngine {
  readonly #process: PeerProcess;
  readonly #ng: NgClient;

  private constructor(address: string) {
    // --table=-1: without it the kernel module is looked for.
    this.#process = PeerProcess.start({
      command: 'rtpengine',
      args: [
        '--table=-1',
        `--interface=${address}`,
        `--listen-ng=${address}:${ngPort}`,
        '--port-min=40000',
        '--port-max=40998',
        '--num-threads=1',
        '--delete-delay=0',
        '--foreground',
        '--log-stderr',
        '--log-level=5',
        '--no-log-timestamps',
      ],
    });
    this.#ng = new NgClient(address, ngPort);
  }

  /** Starts the relay and waits until it answers. */
  static async start(address: string): Promise<RtpEngine> {
    const relay = new RtpEngine(address);
    try {
      await relay.#process.ready(10_000, () => relay.#ng.request({ command: 'ping' }).catch(() => undefined));
    } catch (error) {
      await relay.stop();
      throw error;
    }
    return relay;
  }

  /** What it has logged; it complains there about media it cannot use. */
  get log(): string {
    return this.#process.output;
  }

  /** Runs `offer`, `answer`, `delete` or `query`. */
  request(command: NgDictionary): Promise<NgDictionary> {
    return this.#ng.request(command);
  }

  /** The SDP that it makes of another's, in the one call of a test. @throws Error when it gives none */
  async rewrite(command: 'offer' | 'answer', sdp: string, flags: NgDictionary): Promise<string> {
    const tags = { 'call-id': 'call', 'from-tag': 'a', ...(command === 'answer' ? { 'to-tag': 'b' } : {}) };
    const { sdp: rewritten } = await this.request({ command, ...tags, sdp, ...flags });
    if (typeof rewritten !== 'string') throw new Error('rtpengine gave no SDP');
    return rewritten;
  }

  async stop(): Promise<void> {
    this.#ng.close();
    await this.#process.stop();
  }
}
