import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tlsFile } from '../tls-fixtures.js';
import { Ami } from './ami.js';
import { withRegistrar } from './asterisk-registrar.js';
import { PeerProcess } from './child.js';
import { until } from './until.js';
import { readWav, type Sound } from './wav.js';

const here = join(import.meta.dirname, 'asterisk');
const shipped = join(import.meta.dirname, '../../../config/asterisk');
const ownFiles = ['asterisk.conf', 'modules.conf', 'rtp.conf', 'manager.conf', 'logger.conf', 'indications.conf'];
/** Modules look for these and complain when they are missing; empty means defaults. */
const emptyFiles = [
  'acl.conf',
  'ccss.conf',
  'cel.conf',
  'cli.conf',
  'codecs.conf',
  'confbridge.conf',
  'dnsmgr.conf',
  'dsp.conf',
  'features.conf',
  'http.conf',
  'musiconhold.conf',
  'pjproject.conf',
  'sorcery.conf',
  'stasis.conf',
  'udptl.conf',
];

export interface AsteriskOptions {
  readonly address: string;
  /** Address of the bridge, which is its trunk. */
  readonly trunk: string;
  /** A folder that is Asterisk's alone. */
  readonly folder: string;
  /** The trunk by TLS, with the certificates of test/fixtures/tls. */
  readonly tls?: boolean;
  /** SRTP with keys in the SDP: `sdes` and nothing else, or `optimistic`, which offers and takes plain RTP as well. */
  readonly srtp?: 'sdes' | 'optimistic';
  /** The bridge has to register, see asterisk-registrar.ts. */
  readonly registers?: boolean;
}

function withSrtp(trunk: string, srtp: AsteriskOptions['srtp']): string {
  if (!srtp) return trunk;
  const optimistic = srtp === 'optimistic' ? 'media_encryption_optimistic = yes\n' : '';
  return trunk.replace('direct_media = no', `media_encryption = sdes\n${optimistic}direct_media = no`);
}

/** The shipped trunk, reached and reaching by TLS; each side checks the other's certificate. */
function overTls(trunk: string): string {
  const transport = [
    '[transport-tls]',
    'type = transport',
    'protocol = tls',
    'bind = 192.0.2.10:5061',
    `cert_file = ${tlsFile('pbx.pem')}`,
    `priv_key_file = ${tlsFile('pbx.key')}`,
    `ca_list_file = ${tlsFile('ca.pem')}`,
    'method = tlsv1_2',
    'verify_server = yes',
    'verify_client = no',
    '',
  ];
  return trunk
    .replace(/\[transport-udp\][^[]*/, `${transport.join('\n')}\n`)
    .replace('transport = transport-udp', 'transport = transport-tls')
    .replace('contact = sip:192.0.2.20:5060', 'contact = sip:192.0.2.20:5061\\;transport=tls');
}

/** Asterisk as PBX, on the trunk configuration that this project ships for operators (config/asterisk) and a dial plan for tests. */
export class Asterisk {
  readonly #process: PeerProcess;
  #ami: Ami | undefined;

  private constructor(private readonly options: AsteriskOptions) {
    const { folder } = options;
    for (const part of ['varlib/keys', 'run', 'log', 'spool/tmp', 'spool/outgoing', 'spool/monitor', 'spool/system']) {
      mkdirSync(join(folder, part), { recursive: true });
    }
    for (const name of emptyFiles) writeFileSync(join(folder, name), '');
    for (const name of ownFiles) this.#render(name, readFileSync(join(here, name), 'utf8'));
    const trunk = withSrtp(readFileSync(join(shipped, 'pjsip.conf'), 'utf8'), options.srtp);
    const known = options.registers ? withRegistrar(trunk) : trunk;
    this.#render('pjsip.conf', options.tls ? overTls(known) : known);
    this.#render(
      'extensions.conf',
      readFileSync(join(shipped, 'extensions.conf'), 'utf8') + readFileSync(join(here, 'extensions-test.conf'), 'utf8'),
    );
    this.#process = PeerProcess.start({ command: 'asterisk', args: ['-C', join(folder, 'asterisk.conf'), '-f'] });
  }

  /** Starts Asterisk and waits until it is fully booted. */
  static async start(options: AsteriskOptions): Promise<Asterisk> {
    const asterisk = new Asterisk(options);
    try {
      const ami = await asterisk.#process.ready(20_000, () =>
        Ami.connect(options.address, 'test', 'loopback-only').catch(() => undefined),
      );
      asterisk.#ami = ami;
      await ami.event({ Event: 'FullyBooted' }, 10_000);
    } catch (error) {
      await asterisk.stop();
      throw error;
    }
    return asterisk;
  }

  get ami(): Ami {
    if (this.#ami === undefined) throw new Error('Asterisk is not running');
    return this.#ami;
  }

  #render(name: string, template: string): void {
    const { address, trunk, folder } = this.options;
    const text = template
      .replaceAll('@FOLDER@', folder)
      .replaceAll('@ADDRESS@', address)
      .replaceAll('192.0.2.10', address)
      .replaceAll('192.0.2.20', trunk);
    writeFileSync(join(folder, name), text);
  }

  /** Places a call to a number through the trunk, by the dial plan's `to-whatsapp`, and plays a tone once it is answered. */
  async callOut(number: string, context = 'to-whatsapp'): Promise<void> {
    await this.ami.action({
      Action: 'Originate',
      Channel: `Local/${number}@${context}/n`,
      Context: 'test-caller',
      Exten: 'tone',
      Priority: '1',
      CallerID: '100',
      Async: 'true',
    });
  }

  /** Ends every call that is up. */
  async hangupAll(): Promise<void> {
    await this.ami.action({ Action: 'Hangup', Channel: '/.*/' }).catch(() => undefined);
  }

  /** Waits until no channel is left, so that recordings are complete. */
  async idle(deadlineMs: number): Promise<void> {
    await until('Asterisk without channels', deadlineMs, async () =>
      (await this.ami.command('core show channels count')).includes('0 active channels') ? true : undefined,
    );
  }

  /** What was heard from the trunk in extension 620 or a call placed by `callOut`. */
  heard(): Promise<Sound> {
    const path = join(this.options.folder, 'spool/heard.wav');
    return until('a recording by Asterisk', 5_000, () => {
      try {
        return readWav(path);
      } catch {
        return undefined;
      }
    });
  }

  /** Its log, for the report of a failure. */
  log(): string {
    return readFileSync(join(this.options.folder, 'log/messages'), 'utf8');
  }

  async stop(): Promise<void> {
    this.#ami?.close();
    await this.#process.stop();
  }
}
