import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { tlsFile } from '../tls-fixtures.js';
import { PeerProcess } from './child.js';
import { until } from './until.js';
import { readWav, writeWav, type Sound } from './wav.js';

/** A line of baresip's control port: an event, or the answer to a command. */
export interface BaresipMessage {
  readonly event?: boolean;
  readonly type?: string;
  readonly param?: string;
  readonly token?: string;
  readonly ok?: boolean;
  readonly data?: string;
  readonly peeruri?: string;
  /** Call-ID. */
  readonly id?: string;
}

export interface BaresipOptions {
  readonly address: string;
  /** A folder that is baresip's alone. */
  readonly folder: string;
  /** User part of its own address, and so of its From. */
  readonly user: string;
  /** As its `audio_codecs` spells them. */
  readonly codecs: string;
  readonly answer: 'auto' | 'manual';
  /** What the phone says, looped. Its rate is that of the phone's ear as well. */
  readonly play: Sound;
  /** As its `mediaenc` spells it: `srtp` (RTP/AVP with keys), `srtp-mand` (RTP/SAVP), `srtp-mandf` (RTP/SAVPF). */
  readonly mediaenc?: string;
  /** SIP by TLS, as `pbx.test`; the other side's certificate is checked. */
  readonly tls?: boolean;
}

/** baresip, a real SIP phone without a screen. */
export class Baresip {
  readonly #process: PeerProcess;
  readonly #events: BaresipMessage[] = [];
  readonly #answers = new Map<string, BaresipMessage>();
  #socket: Socket | undefined;
  #pending = Buffer.alloc(0);
  #commands = 0;

  private constructor(private readonly options: BaresipOptions) {
    const { folder, address, user, codecs, answer, mediaenc, tls = false, play } = options;
    mkdirSync(join(folder, 'heard'), { recursive: true });
    writeWav(join(folder, 'play.wav'), play);
    const config = readFileSync(join(import.meta.dirname, 'baresip/config.in'), 'utf8');
    const own = tls ? `${config}sip_certificate ${this.#certificate()}\nsip_cafile ${tlsFile('ca.pem')}\n` : config;
    const filled = own.replaceAll('@ADDRESS@', address).replaceAll('@RATE@', String(play.rateHz));
    writeFileSync(join(folder, 'config'), filled.replaceAll('@FOLDER@', folder));
    const parameters = [
      ...[`answermode=${answer}`, `audio_codecs=${codecs}`, 'regint=0', 'ptime=20', 'dtmfmode=auto'],
      ...(mediaenc === undefined ? [] : [`mediaenc=${mediaenc}`]),
    ];
    const place = tls ? `${address}:5061;transport=tls` : `${address}:5060`;
    writeFileSync(join(folder, 'accounts'), `<sip:${user}@${place}>;${parameters.join(';')}\n`);
    writeFileSync(join(folder, 'contacts'), '');
    this.#process = PeerProcess.start({ command: 'baresip', args: ['-f', folder, '-4'] });
  }

  /** Starts the phone and waits until it takes calls. */
  static async start(options: BaresipOptions): Promise<Baresip> {
    const phone = new Baresip(options);
    try {
      await phone.#process.ready(10_000, () => phone.#process.output.includes('baresip is ready') || undefined);
      phone.#socket = connect(4444, options.address);
      await once(phone.#socket, 'connect');
      phone.#socket.on('data', (data: Buffer) => phone.#onData(data)).on('error', () => undefined);
    } catch (error) {
      await phone.stop();
      throw error;
    }
    return phone;
  }

  /** Its certificate and key in the one file that it wants. */
  #certificate(): string {
    const path = join(this.options.folder, 'certificate.pem');
    writeFileSync(path, readFileSync(tlsFile('pbx.key'), 'utf8') + readFileSync(tlsFile('pbx.pem'), 'utf8'));
    return path;
  }

  /** Splits the stream into netstrings, `<length>:<json>,`. */
  #onData(data: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, data]);
    for (;;) {
      const colon = this.#pending.indexOf(0x3a);
      const length = Number(this.#pending.toString('latin1', 0, Math.max(0, colon)));
      if (colon < 0 || this.#pending.length < colon + length + 2) return;
      this.#onMessage(JSON.parse(this.#pending.toString('utf8', colon + 1, colon + 1 + length)) as BaresipMessage);
      this.#pending = this.#pending.subarray(colon + length + 2);
    }
  }

  #onMessage(message: BaresipMessage): void {
    if (message.event === true) this.#events.push(message);
    else if (message.token !== undefined) this.#answers.set(message.token, message);
  }

  /** Runs one of baresip's commands. @throws Error when it answers that it failed */
  async command(command: string, params?: string): Promise<BaresipMessage> {
    const token = `t${++this.#commands}`;
    const body = JSON.stringify({ command, params, token });
    this.#socket?.write(`${Buffer.byteLength(body)}:${body},`);
    const answer = await until(`baresip answers ${command}`, 5_000, () => this.#answers.get(token));
    if (answer.ok !== true) throw new Error(`baresip refused ${command}: ${answer.data ?? ''}`);
    return answer;
  }

  /** Events seen so far; pass to `event` to wait for a later one only. */
  get seen(): number {
    return this.#events.length;
  }

  /** Waits for the first event of a type (CALL_ESTABLISHED, CALL_CLOSED, CALL_DTMF_START…) after the first `after` events. */
  event(type: string, deadlineMs: number, after = 0): Promise<BaresipMessage> {
    return until(
      () => `baresip ${type} (saw ${this.#events.map((one) => one.type).join(', ')})`,
      deadlineMs,
      () => this.#events.slice(after).find((one) => one.type === type),
    );
  }

  /** The keys pressed on the other side, once there are so many. */
  pressed(count: number, deadlineMs: number): Promise<string> {
    const all = (): string =>
      this.#events
        .filter(({ type }) => type === 'CALL_DTMF_START')
        .map(({ param }) => param ?? '')
        .join('');
    return until(`${count} digits at baresip`, deadlineMs, () => (all().length >= count ? all() : undefined));
  }

  /** The last recording: what was heard of a call from its last hold or its beginning on. Lost packets are missing, not silent. */
  heard(): Promise<Sound> {
    return until('a recording by baresip', 5_000, () => this.recordings().at(-1));
  }

  /** All recordings in their order. */
  recordings(): Sound[] {
    const folder = join(this.options.folder, 'heard');
    const names = readdirSync(folder).filter((name) => name.endsWith('-dec.wav'));
    return names.sort().map((name) => readWav(join(folder, name)));
  }

  async stop(): Promise<void> {
    this.#socket?.destroy();
    await this.#process.stop();
  }
}
