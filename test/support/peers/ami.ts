import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { until } from './until.js';

/** One message of Asterisk's manager interface; a header that repeats is joined by line feeds. */
export type AmiMessage = Readonly<Record<string, string>>;

/** A client of Asterisk's manager interface. */
export class Ami {
  readonly #messages: AmiMessage[] = [];
  #pending = '';
  #actions = 0;

  private constructor(private readonly socket: Socket) {
    socket.setEncoding('utf8').on('error', () => undefined);
    socket.on('data', (text: string) => this.#onData(text));
  }

  /** Connects and logs in. */
  static async connect(host: string, user: string, secret: string): Promise<Ami> {
    const socket = connect(5038, host);
    await once(socket, 'connect');
    const ami = new Ami(socket);
    await ami.action({ Action: 'Login', Username: user, Secret: secret });
    return ami;
  }

  #onData(text: string): void {
    this.#pending = (this.#pending + text).replace(/^Asterisk Call Manager[^\n]*\n/, '');
    for (let end = this.#pending.indexOf('\r\n\r\n'); end >= 0; end = this.#pending.indexOf('\r\n\r\n')) {
      this.#messages.push(parse(this.#pending.slice(0, end)));
      this.#pending = this.#pending.slice(end + 4);
    }
  }

  /** Sends an action and waits for its response. @throws Error when it failed */
  async action(headers: AmiMessage, deadlineMs = 5_000): Promise<AmiMessage> {
    const id = `action-${++this.#actions}`;
    const lines = Object.entries({ ...headers, ActionID: id }).map(([name, value]) => `${name}: ${value}`);
    this.socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    const response = await until(`Asterisk answers ${headers.Action ?? ''}`, deadlineMs, () =>
      this.#messages.find((one) => one.Response !== undefined && one.ActionID === id),
    );
    if (response.Response !== 'Success') throw new Error(`Asterisk refused: ${response.Message ?? ''}`);
    return response;
  }

  /** Runs a command of the console and gives what it prints. */
  async command(command: string): Promise<string> {
    return (await this.action({ Action: 'Command', Command: command })).Output ?? '';
  }

  /** Messages seen so far; pass to `event` to wait for a later one only. */
  get seen(): number {
    return this.#messages.length;
  }

  /** Waits for an event that has all these headers. */
  event(headers: AmiMessage, deadlineMs: number, after = 0): Promise<AmiMessage> {
    return until(`Asterisk event ${JSON.stringify(headers)}`, deadlineMs, () =>
      this.#messages.slice(after).find((one) => hasAll(one, headers)),
    );
  }

  /** All events so far that have all these headers. */
  all(headers: AmiMessage): AmiMessage[] {
    return this.#messages.filter((one) => hasAll(one, headers));
  }

  close(): void {
    this.socket.destroy();
  }
}

function hasAll(message: AmiMessage, headers: AmiMessage): boolean {
  return Object.entries(headers).every(([name, value]) => message[name] === value);
}

function parse(block: string): AmiMessage {
  const message: Record<string, string> = {};
  for (const line of block.split('\r\n')) {
    const colon = line.indexOf(': ');
    if (colon < 0) continue;
    const name = line.slice(0, colon);
    const before = message[name];
    message[name] = (before === undefined ? '' : `${before}\n`) + line.slice(colon + 2);
  }
  return message;
}
