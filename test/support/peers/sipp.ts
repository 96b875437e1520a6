import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PeerProcess } from './child.js';
import type { Scene } from './scene.js';

export interface SippOptions {
  /** File of the `sipp` folder, without its ending. */
  readonly scenario: string;
  readonly address: string;
  /** Where to call, `host:port`; left out for a scenario that waits for a call. */
  readonly target?: string;
  /** User part to call. */
  readonly service?: string;
  readonly codec?: 'PCMA' | 'PCMU' | 'G729';
  /** How long a caller stays in the call. */
  readonly talkMs?: number;
  /** What a caller shows when it is asked for a password. */
  readonly password?: string;
  /** Status a refused caller waits for. */
  readonly status?: number;
  readonly transport?: 'udp' | 'tcp';
  /** Address that its SDP names for audio; default: its own. */
  readonly mediaAddress?: string;
}

const payloadTypes = { PCMU: 0, PCMA: 8, G729: 18 };
let instances = 0;

/** sipp running one scenario for one call; RTP is echoed. It ends with the scenario, status 0 when every message came as written. */
export class Sipp {
  readonly #process: PeerProcess;
  readonly #folder: string;

  private constructor(scene: Scene, options: SippOptions) {
    this.#folder = scene.path(`sipp-${++instances}`);
    mkdirSync(this.#folder);
    const text = readFileSync(join(import.meta.dirname, 'sipp', `${options.scenario}.xml`), 'utf8');
    writeFileSync(
      join(this.#folder, 'scenario.xml'),
      text
        .replaceAll('@PASSWORD@', options.password ?? '')
        .replaceAll('@STATUS@', String(options.status ?? 200))
        .replaceAll('@TALK_MS@', String(options.talkMs ?? 3_000)),
    );
    this.#process = PeerProcess.start({ command: 'sipp', args: this.#arguments(options), cwd: this.#folder });
  }

  /** Starts sipp for the scene; one that waits for calls is listening when this resolves. */
  static async start(scene: Scene, options: SippOptions): Promise<Sipp> {
    const sipp = scene.add(new Sipp(scene, options));
    if (options.target === undefined) await sipp.#process.ready(5_000, () => listening(options.address));
    return sipp;
  }

  #arguments(options: SippOptions): string[] {
    const codec = options.codec ?? 'PCMA';
    return [
      ...(options.target === undefined ? [] : [options.target]),
      ...['-sf', 'scenario.xml', '-i', options.address, '-p', '5060', '-mi', options.address, '-mp', '6000'],
      ...['-s', options.service ?? 'service', '-m', '1', '-l', '1', '-rtp_echo', '-nostdin'],
      ...[
        '-t',
        options.transport === 'tcp' ? 't1' : 'u1',
        '-timeout',
        '60s',
        '-timeout_error',
        '-recv_timeout',
        '30000',
      ],
      ...['-trace_err', '-error_file', 'errors.log', '-trace_msg', '-message_file', 'messages.log'],
      ...['-key', 'payload_type', String(payloadTypes[codec]), '-key', 'codec', codec],
    ];
  }

  /** Waits for the end of the scenario. @throws Error with sipp's own words and the messages when it went otherwise */
  async finished(deadlineMs: number): Promise<void> {
    const status = await this.#process.exit(deadlineMs);
    if (status === 0) return;
    throw new Error(
      `sipp ended with status ${status}\n${this.#file('errors.log').slice(0, 1500)}\n${this.messages.slice(-6000)}`,
    );
  }

  /** All messages sent and received. */
  get messages(): string {
    return this.#file('messages.log');
  }

  #file(name: string): string {
    try {
      return readFileSync(join(this.#folder, name), 'utf8');
    } catch {
      return '';
    }
  }

  stop(): Promise<void> {
    return this.#process.stop();
  }
}

/** Whether somebody listens on port 5060 of an address, by the kernel's own tables. */
function listening(address: string): true | undefined {
  const hex = Buffer.from(address.split('.').map(Number)).reverse().toString('hex').toUpperCase();
  const entry = `${hex}:${(5060).toString(16).toUpperCase()}`;
  const tables = ['/proc/net/udp', '/proc/net/tcp'].map((path) => readFileSync(path, 'utf8')).join('\n');
  return tables.split('\n').some((line) => line.includes(` ${entry} `)) || undefined;
}
