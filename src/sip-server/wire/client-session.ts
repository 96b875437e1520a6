import { timingSafeEqual } from 'node:crypto';
import type { Clock, Timer } from '../../lib/clock.js';
import type { Logger } from '../../lib/logger.js';
import type { AppConnection, OpenAppConnection } from './app-connection.js';
import type { Frame } from './frame-codec.js';
import { encodeFrame, FrameDecoder, SAFE_FRAME_BYTES } from './frame-codec.js';

/** An application that has not given the secret by then is cut off, milliseconds. */
const AUTHENTICATION_MS = 5000;

/** The last part of a UUID. */
const COUNT_DIGITS = 12;

/** What a session needs from the server it belongs to. */
export interface SessionHost {
  readonly secret: string;
  readonly version: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A fresh UUID. */
  uuid(): string;
  /** `proto/host:port`, comma separated: addresses to advertise, and local ones. */
  hostPorts(): { readonly advertised: string; readonly local: string };
  /** A `sip` frame of an authenticated client. */
  onSip(client: ClientSession, frame: Frame): void;
  onClosed(client: ClientSession): void;
}

/**
 * One connected application (drachtio.md §2). Unlike drachtio-server it obeys nothing before a correct secret:
 * any other first command closes the socket, and so does silence.
 */
export class ClientSession {
  readonly #decoder = new FrameDecoder();
  readonly #verbs = new Set<string>();
  readonly #patience: Timer;
  readonly #connection: AppConnection;
  /** Names of frames begin alike, and are counted: a fresh UUID for each would be a hundredth of a call. */
  readonly #frames: string;
  #sent = 0;
  #authenticated = false;

  constructor(
    open: OpenAppConnection,
    private readonly host: SessionHost,
  ) {
    this.#frames = host.uuid().slice(0, -COUNT_DIGITS);
    this.#patience = host.clock.after(AUTHENTICATION_MS, () => this.close());
    this.#connection = open({
      onData: (chunk) => this.#receive(chunk),
      onError: (err) => host.logger.debug('sip application connection failed', { err }),
      onClose: () => {
        this.#patience.cancel();
        host.onClosed(this);
      },
    });
  }

  /** Has it asked for requests of this method? */
  serves(method: string): boolean {
    return this.#authenticated && this.open && this.#verbs.has(method.toLowerCase());
  }

  get open(): boolean {
    return this.#connection.open;
  }

  /** Frames that it has not taken, nor the kernel for it, bytes. */
  get backlogBytes(): number {
    return this.#connection.backlogBytes;
  }

  /** Answers the frame with this message id. */
  respond(messageId: string, tokens: readonly (string | number)[], sip?: Buffer): void {
    this.#write(['response', messageId, ...tokens], sip);
  }

  /** Tells of a SIP message. */
  event(tokens: readonly (string | number)[], sip: Buffer): void {
    this.#write(['sip', ...tokens], sip);
  }

  close(): void {
    this.#connection.close();
  }

  #write(tokens: readonly (string | number)[], sip?: Buffer): void {
    if (this.open) this.#connection.send(encodeFrame([this.#nextName(), ...tokens], sip));
  }

  #nextName(): string {
    this.#sent += 1;
    return this.#frames + this.#sent.toString(16).padStart(COUNT_DIGITS, '0');
  }

  #receive(chunk: Buffer): void {
    let frames: readonly Frame[];
    try {
      frames = this.#decoder.push(chunk);
    } catch (err) {
      this.host.logger.error('sip application sent a bad frame', { err });
      return this.close();
    }
    for (const frame of frames) {
      if (this.open) this.#handleSafely(frame);
    }
  }

  /** One frame that fails must not cost the calls of the others: it is answered, and the connection stays. */
  #handleSafely(frame: Frame): void {
    try {
      this.#handle(frame);
    } catch (err) {
      this.host.logger.error('sip application frame failed', { err });
      this.respond(frame.tokens[0] ?? '', ['NOK', 'Server error']);
    }
  }

  #handle(frame: Frame): void {
    const [messageId = '', command = '', argument = ''] = frame.tokens;
    if (messageId === '') return this.close();
    if (command === 'authenticate') return this.#authenticate(messageId, argument);
    if (!this.#authenticated) {
      this.host.logger.warn('sip application did not authenticate first', { command: command.slice(0, 20) });
      this.respond(messageId, ['NO', 'not authenticated']);
      this.#connection.end();
      return;
    }
    if (frame.byteLength > SAFE_FRAME_BYTES) {
      this.host.logger.warn('frame too large for a drachtio-server', {
        bytes: frame.byteLength,
        limit: SAFE_FRAME_BYTES,
      });
    }
    this.#obey(messageId, command, argument, frame);
  }

  #obey(messageId: string, command: string, argument: string, frame: Frame): void {
    switch (command) {
      case 'route':
        this.#verbs.add(argument.toLowerCase());
        return this.respond(messageId, ['OK']);
      case 'remove_route':
        this.#verbs.delete(argument.toLowerCase());
        return this.respond(messageId, ['OK']);
      case 'ping':
        return this.respond(messageId, ['OK', 'pong']);
      case 'sip':
        return this.host.onSip(this, frame);
      default:
        return this.respond(messageId, ['NOK', command === 'proxy' ? 'not supported' : 'unknown command']);
    }
  }

  #authenticate(messageId: string, secret: string): void {
    const given = Buffer.from(secret);
    const wanted = Buffer.from(this.host.secret);
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
      this.host.logger.warn('sip application gave a wrong secret');
      this.respond(messageId, ['NO', 'incorrect secret']);
      this.#connection.end();
      return;
    }
    this.#authenticated = true;
    this.#patience.cancel();
    const { advertised, local } = this.host.hostPorts();
    this.respond(messageId, ['OK', advertised, this.host.version, local]);
  }
}
