import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { address as addresses } from './addresses.js';
import { Ami } from './ami.js';
import { trunkConfiguration, type TrunkOptions } from './asterisk-trunk.js';
import { PeerProcess } from './child.js';
import { second as secondNumber } from './meta.js';
import { sine } from './sound.js';
import { until } from './until.js';
import { readWav, writeWav, type Sound } from './wav.js';

const here = join(import.meta.dirname, 'asterisk');
const shipped = join(import.meta.dirname, '../../../config/asterisk');
const ownFiles = [
  'asterisk.conf',
  'modules.conf',
  'rtp.conf',
  'manager.conf',
  'logger.conf',
  'indications.conf',
  'musiconhold.conf',
];
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
  'pjproject.conf',
  'sorcery.conf',
  'stasis.conf',
  'udptl.conf',
];

export interface AsteriskOptions extends TrunkOptions {
  readonly address: string;
  /** Address of the bridge, which is its trunk. */
  readonly trunk: string;
  /** A folder that is Asterisk's alone. */
  readonly folder: string;
}

/** Port of the phones behind this Asterisk; that of the trunk is the sample's. */
export const phonesPort = 5070;
/** What its music on hold is. */
export const musicHz = 520;
/** Its tones, and how loud it plays them. */
export const tone = { hz: 1004, levelDb: -16 } as const;

/** Asterisk as PBX, on the trunk configuration that this project ships for operators (config/asterisk) and a dial plan for tests. */
export class Asterisk {
  readonly #process: PeerProcess;
  #ami: Ami | undefined;

  private constructor(private readonly options: AsteriskOptions) {
    const { folder } = options;
    for (const part of [
      'varlib/keys',
      'varlib/moh',
      'run',
      'log',
      'spool/tmp',
      'spool/outgoing',
      'spool/monitor',
      'spool/system',
    ]) {
      mkdirSync(join(folder, part), { recursive: true });
    }
    for (const name of emptyFiles) writeFileSync(join(folder, name), '');
    for (const name of ownFiles) this.#render(name, readFileSync(join(here, name), 'utf8'));
    this.#render('pjsip.conf', trunkConfiguration(options) + readFileSync(join(here, 'pjsip-test.conf'), 'utf8'));
    writeWav(join(folder, 'varlib/moh/music.wav'), sine(musicHz, 10_000, 8_000));
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
      .replaceAll('@SECOND@', secondNumber.id)
      .replaceAll('@PHONE@', addresses.baresip)
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

  /** Places a call to a number through the trunk, and sends it to an extension of `from-whatsapp` once it is answered. */
  async callOutTo(extension: string, number: string): Promise<void> {
    await this.ami.action({
      Action: 'Originate',
      Channel: `PJSIP/+${number}@sip2wa`,
      Context: 'from-whatsapp',
      Exten: extension,
      Priority: '1',
      CallerID: '100',
      Async: 'true',
    });
  }

  /** From now on its log has every SIP message. */
  async logSip(): Promise<void> {
    await this.ami.command('pjsip set logger on');
  }

  /** From now on its log has a line for each RTP packet. */
  async logRtp(): Promise<void> {
    await this.ami.command('rtp set debug on');
  }

  /** The only channel whose name begins so, once it stands there. */
  channel(start: string, deadlineMs = 5_000): Promise<string> {
    return until(`a channel ${start}`, deadlineMs, async () => {
      const shown = await this.ami.command('core show channels concise');
      return shown
        .split('\n')
        .map((line) => line.split('!')[0] ?? '')
        .find((name) => name.startsWith(start));
    });
  }

  /** What a function or variable of a channel is worth. */
  async valueOf(channel: string, variable: string): Promise<string> {
    return (await this.ami.action({ Action: 'Getvar', Channel: channel, Variable: variable })).Value ?? '';
  }

  /** What was heard from the trunk in the extensions that record, or a call placed by `callOut`; `wide` is what 624 records. */
  heard(band: 'narrow' | 'wide' = 'narrow'): Promise<Sound> {
    const path = join(this.options.folder, band === 'wide' ? 'spool/heard.wav16' : 'spool/heard.wav');
    let before = 0;
    // It is written to its end after the channel is gone: what is read twice alike is whole.
    return until('a recording by Asterisk', 5_000, () => {
      const sound = soundIn(path);
      const [length, last] = [sound?.samples.length ?? 0, before];
      before = length;
      return length > 0 && length === last ? sound : undefined;
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

/** What is written so far. */
function soundIn(path: string): Sound | undefined {
  try {
    return readWav(path);
  } catch {
    return undefined;
  }
}
