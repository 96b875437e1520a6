import type { BigIntStats } from 'node:fs';
import { readFileSync, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import type { SecureContext, SecureContextOptions } from 'node:tls';
import { createSecureContext } from 'node:tls';
import { BridgeError } from '../../lib/bridge-error.js';
import { CertificateFault, checkAuthorities, checkKeyPair } from '../../lib/certificates.js';
import type { Clock, Timer } from '../../lib/clock.js';
import { withDeadline } from '../../lib/deadline.js';
import type { Logger } from '../../lib/logger.js';
import type { TlsSettings } from './tls-settings.js';

/** Between two looks at the files, in milliseconds. */
const POLL_MS = 1_000;
/** Longest wait for the file system, in milliseconds: a network mount may hang. */
const READ_MS = 5_000;
/** Less than this left is warned of, in milliseconds. */
const EXPIRES_SOON_MS = 14 * 24 * 3_600_000;
const REMIND_MS = 24 * 3_600_000;

/** What the files say. */
interface Loaded {
  readonly server: SecureContextOptions;
  /** By the file of authorities; the empty name stands for the public ones. */
  readonly clients: ReadonlyMap<string, SecureContext>;
  readonly notAfter: Date;
}

/**
 * Certificate, key and authorities as their files say now. The files are looked at about every second; new ones are used
 * for connections from then on, all together and only if all are sound. Else the old ones stay.
 */
export class TlsCredentials {
  readonly #listeners: (() => void)[] = [];
  #loaded: Loaded;
  /** What the files looked like at the last look. */
  #seenStamp: string;
  #lastFault: string | undefined;
  #timer: Timer | undefined;
  #remindAtMs = 0;
  #closed = false;

  private constructor(
    private readonly settings: TlsSettings,
    private readonly clock: Clock,
    private readonly logger: Logger,
    texts: ReadonlyMap<string, string>,
    /** What the files looked like when they were read last. */
    private readStamp: string,
  ) {
    this.#loaded = build(settings, texts);
    this.#seenStamp = readStamp;
    this.#remind();
    this.#arm();
  }

  /** @throws BridgeError naming the file that cannot be used, and why. */
  static open(settings: TlsSettings, clock: Clock, logger: Logger): TlsCredentials {
    try {
      const files = filesOf(settings);
      const stamp = files.map((file) => naming(file, () => stampOf(statSync(file, { bigint: true })))).join('|');
      const texts = files.map((file) => [file, naming(file, () => readFileSync(file, 'utf8'))] as const);
      return new TlsCredentials(settings, clock, logger, new Map(texts), stamp);
    } catch (cause) {
      throw new BridgeError('SIP2WA_SIP_SERVER_TLS', `TLS cannot be used: ${textOf(cause)}`, { cause });
    }
  }

  /** For a `tls.Server`. */
  get server(): SecureContextOptions {
    return this.#loaded.server;
  }

  /** For a connection to a server whose certificate is of these authorities. */
  client(caFile: string | undefined): SecureContext {
    const context = this.#loaded.clients.get(caFile ?? '');
    if (!context) throw new Error('authorities that were not named at the start');
    return context;
  }

  /** Told after new files have been taken. */
  onReload(listener: () => void): void {
    this.#listeners.push(listener);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #arm(): void {
    if (this.#closed) return;
    this.#timer = this.clock.after(POLL_MS, () => {
      this.#look()
        .catch((err: unknown) => this.#refused(err))
        .finally(() => this.#arm());
    });
  }

  /** Files are taken once they have looked the same twice: a key comes a moment after its certificate. */
  async #look(): Promise<void> {
    this.#remind();
    const files = filesOf(this.settings);
    const stamps = Promise.all(files.map(async (file) => stampOf(await stat(file, { bigint: true }))));
    const stamp = (await withDeadline(stamps, READ_MS, 'look at certificate files', this.clock)).join('|');
    const isSettled = stamp === this.#seenStamp;
    this.#seenStamp = stamp;
    if (isSettled && stamp !== this.readStamp) await this.#reload(files, stamp);
  }

  async #reload(files: readonly string[], stamp: string): Promise<void> {
    const reading = Promise.all(files.map(async (file) => [file, await readFile(file, 'utf8')] as const));
    const texts = await withDeadline(reading, READ_MS, 'read certificate files', this.clock);
    this.readStamp = stamp;
    const loaded = build(this.settings, new Map(texts));
    const { notAfter } = loaded;
    const { certFile } = this.settings;
    if (notAfter.getTime() < this.clock.now()) throw new Error(`${certFile}: has expired (${notAfter.toISOString()})`);
    this.#loaded = loaded;
    this.#lastFault = undefined;
    this.logger.info('TLS certificate replaced', { file: certFile, notAfter });
    for (const listener of this.#listeners) listener();
  }

  /** Said once, not every second. */
  #refused(err: unknown): void {
    const why = textOf(err);
    if (this.#lastFault !== why) this.logger.error('TLS certificate files cannot be used; the old ones stay', { why });
    this.#lastFault = why;
  }

  #remind(): void {
    const now = this.clock.now();
    const { notAfter } = this.#loaded;
    if (notAfter.getTime() - now > EXPIRES_SOON_MS || now < this.#remindAtMs) return;
    this.#remindAtMs = now + REMIND_MS;
    const what = notAfter.getTime() < now ? 'TLS certificate has expired' : 'TLS certificate expires soon';
    this.logger.warn(what, { file: this.settings.certFile, notAfter });
  }
}

const filesOf = ({ certFile, keyFile, caFile, servers }: TlsSettings): string[] => [
  ...new Set(
    [certFile, keyFile, caFile, ...servers.map((server) => server.caFile)].filter((file) => file !== undefined),
  ),
];

function build(settings: TlsSettings, texts: ReadonlyMap<string, string>): Loaded {
  const { certFile, keyFile, caFile, servers } = settings;
  const text = (file: string): string => texts.get(file) ?? '';
  const { notAfter } = checkOwn(settings, text);
  const authorities = new Set(['', ...servers.map((server) => server.caFile ?? '')]);
  for (const file of [...authorities, caFile ?? '']) {
    if (file !== '') naming(file, () => checkAuthorities(text(file)));
  }
  const own = { cert: text(certFile), key: text(keyFile), minVersion: 'TLSv1.2' } as const;
  const withAuthorities = (file: string): SecureContextOptions => (file === '' ? own : { ...own, ca: text(file) });
  const clients = [...authorities].map((file) => [file, createSecureContext(withAuthorities(file))] as const);
  return { server: withAuthorities(caFile ?? ''), clients: new Map(clients), notAfter };
}

function checkOwn({ certFile, keyFile }: TlsSettings, text: (file: string) => string): { readonly notAfter: Date } {
  try {
    return checkKeyPair(text(certFile), text(keyFile));
  } catch (cause) {
    throw new Error(
      `${cause instanceof CertificateFault && cause.of === 'key' ? keyFile : certFile}: ${textOf(cause)}`,
      {
        cause,
      },
    );
  }
}

/** Puts the file's name before what is wrong with it. */
function naming<T>(file: string, use: () => T): T {
  try {
    return use();
  } catch (cause) {
    throw new Error(`${file}: ${textOf(cause)}`, { cause });
  }
}

/** What tells that a file is another one, symbolic links that Kubernetes and certbot swap included. */
const stampOf = ({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string =>
  [dev, ino, size, mtimeNs, ctimeNs].join(' ');

const textOf = (err: unknown): string => (err instanceof Error ? err.message : String(err));
