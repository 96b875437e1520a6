import { readFile, stat } from 'node:fs/promises';
import type { Clock, Timer } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import type { Config } from './config.js';
import { errorCode, secretText, unusable } from './secrets.js';

/** Between two looks at the files, in milliseconds. */
const POLL_MS = 1_000;
/** After this a read is worth a warning, in milliseconds: a network mount may hang. */
const SLOW_MS = 5_000;
/** Larger files are no secret. */
const MAX_BYTES = 64 * 1024;

export interface LiveSecretsOptions {
  readonly graph: Pick<Config['graph'], 'accessToken' | 'appSecrets' | 'secretFiles'>;
  /** Told every new value before it is used, so that no log line can show it. */
  readonly redact: (secrets: readonly string[]) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A secret that may change, and the file it comes from. */
interface Watched {
  readonly key: string;
  readonly file: string | undefined;
  value: string;
  /** What the file looked like when it was read last; undefined: not looked at yet. */
  stamp: string | undefined;
}

/** The key of the configuration and the file, for log lines. */
interface Place {
  readonly key: string;
  readonly file: string;
}

/**
 * The secrets of the Graph API as they are now. Files are looked at about every second by what they are (device, inode, size,
 * time), which also sees the symbolic links that Kubernetes swaps; a file that is gone, empty or unusable leaves the old value in
 * place, with a warning.
 */
export class LiveSecrets {
  #token: Watched;
  #appSecrets: readonly Watched[];
  readonly #listeners: (() => void)[] = [];
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(private readonly options: LiveSecretsOptions) {
    this.#token = tokenOf(options.graph);
    this.#appSecrets = appSecretsOf(options.graph);
    if (this.#all().length > 0) this.#arm();
  }

  /** The configuration was read anew: these count from now on, and their files are looked at. Redacted by the caller. */
  use(graph: LiveSecretsOptions['graph']): void {
    const { value: before } = this.#token;
    this.#token = tokenOf(graph);
    this.#appSecrets = appSecretsOf(graph);
    this.#timer?.cancel();
    if (this.#all().length > 0) this.#arm();
    if (this.#token.value !== before) for (const listener of this.#listeners) listener();
  }

  accessToken(): string {
    return this.#token.value;
  }

  /** One, or two while rotating. */
  appSecrets(): readonly string[] {
    return this.#appSecrets.map(({ value }) => value);
  }

  /** Told when the access token has been replaced. */
  onTokenChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Looks at the files now. Never rejects. */
  async poll(): Promise<void> {
    for (const secret of this.#all()) await this.#look(secret, secret.file);
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  #all(): (Watched & { readonly file: string })[] {
    return [this.#token, ...this.#appSecrets].filter(isFromFile);
  }

  #arm(): void {
    if (this.#isClosed) return;
    this.#timer?.cancel();
    this.#timer = this.options.clock.after(POLL_MS, () => void this.poll().then(() => this.#arm()));
  }

  async #look(secret: Watched, file: string): Promise<void> {
    const { logger } = this.options;
    const place = { key: secret.key, file };
    let text: string | undefined;
    try {
      text = await this.#read(secret, place);
    } catch (error) {
      const stamp = `unreadable: ${errorCode(error)}`;
      if (secret.stamp !== stamp) logger.warn('secret cannot be read; the old one stays', { ...place, why: stamp });
      secret.stamp = stamp;
      return;
    }
    if (text === undefined) return;
    const value = secretText(text);
    const complaint = unusable(value);
    if (complaint) logger.warn('secret is unusable; the old one stays', { ...place, why: complaint.message });
    else if (value !== secret.value) this.#replace(secret, value, place);
  }

  /**
   * The text of a file that has changed since the last look; undefined when it has not. A file system that hangs is waited for,
   * with a warning: another look would only occupy one more of Node's few threads.
   */
  async #read(secret: Watched, place: Place): Promise<string | undefined> {
    const warning = this.options.clock.after(SLOW_MS, () => {
      this.options.logger.warn('secret cannot be read yet; the old one stays', { ...place });
    });
    try {
      return await changedText(secret, place.file);
    } finally {
      warning.cancel();
    }
  }

  #replace(secret: Watched, value: string, place: Place): void {
    this.options.redact([value]);
    secret.value = value;
    this.options.logger.info('secret replaced', { ...place });
    if (secret === this.#token) for (const listener of this.#listeners) listener();
  }
}

async function changedText(secret: Watched, file: string): Promise<string | undefined> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
  const stamp = [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  if (stamp === secret.stamp) return undefined;
  if (size > MAX_BYTES) throw Object.assign(new Error('file too large'), { code: 'EFBIG' });
  const text = await readFile(file, 'utf8');
  secret.stamp = stamp;
  return text;
}

const tokenOf = ({ accessToken, secretFiles }: LiveSecretsOptions['graph']): Watched =>
  watched('graph.access_token', accessToken, secretFiles.accessToken);

const appSecretsOf = ({ appSecrets, secretFiles }: LiveSecretsOptions['graph']): Watched[] =>
  appSecrets.map((value, at) => watched('graph.app_secret', value, secretFiles.appSecrets[at]));

function watched(key: string, value: string, file: string | undefined): Watched {
  return { key, file, value, stamp: undefined };
}

function isFromFile(secret: Watched): secret is Watched & { readonly file: string } {
  return secret.file !== undefined;
}
