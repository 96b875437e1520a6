import { afterEach, describe, expect, it } from 'vitest';
import type { CallRecord } from '../../src/call/call-record.js';
import { BUSINESS_NUMBER, demoConfig, demoIdentity, USER_WA_ID } from '../../src/cli/demo-config.js';
import type { Config } from '../../src/config/config.js';
import { startDaemon, type Daemon } from '../../src/daemon.js';
import { levelDbfs, strongestHz } from '../../src/sandbox/audio/measure.js';
import type { Pcm } from '../../src/sandbox/audio/pcm.js';
import { tone } from '../../src/sandbox/audio/signals.js';
import type { PbxCall } from '../../src/sandbox/pbx/pbx-call.js';
import type { Pbx } from '../../src/sandbox/pbx/pbx.js';
import type { PhoneCall } from '../../src/sandbox/phone/phone-call.js';
import type { WhatsAppPhone } from '../../src/sandbox/phone/phone.js';
import { startSandbox, type Sandbox } from '../../src/sandbox/sandbox.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { until } from '../support/until.js';

const [pbxHz, userHz] = [700, 1300];
const amplitude = 0.5;
/** A sine of half the scale. */
const saidDbfs = 20 * Math.log10(amplitude);
const saidMs = 3000;

/** The whole daemon with a number whose file wants PCMA beside Opus, between the sandbox's phone and PBX. */
class Scene {
  readonly records: CallRecord[] = [];
  readonly logger = new RecordingLogger();

  private constructor(
    readonly sandbox: Sandbox,
    readonly pbx: Pbx,
    readonly phone: WhatsAppPhone,
  ) {}

  daemon!: Daemon;

  static async start(push: Config['settings']['push']): Promise<Scene> {
    const identity = demoIdentity();
    const sandbox = await startSandbox({ ...identity, businessNumber: BUSINESS_NUMBER, strictCodecs: true });
    const pbx = await sandbox.pbx();
    const phone = await sandbox.phone({ waId: USER_WA_ID, permission: 'permanent' });
    const scene = new Scene(sandbox, pbx, phone);
    const config = demoConfig({ identity, graphUrl: sandbox.graphUrl, pbx: pbx.address });
    const settings = { audio: { additional_codecs: ['PCMA'] } };
    scene.daemon = await startDaemon({
      config: {
        ...config,
        numbers: config.numbers.map((each) => ({ ...each, settings })),
        settings: { push, pollMs: undefined },
      },
      logger: scene.logger,
      cdr: { write: (record) => void scene.records.push(record), close: () => Promise.resolve() },
    });
    const { host, port } = scene.daemon.addresses.webhook;
    sandbox.setWebhook(`http://${host}:${port}${config.webhook.path}`);
    return scene;
  }

  /** The watch has told how the number stands. */
  told(message: string): Promise<void> {
    return until(() => this.logger.lines.some((line) => line.message === message), message, 15_000);
  }

  async userCalls(): Promise<[PhoneCall, PbxCall]> {
    this.pbx.onInvite = () => ({ do: 'answer', says: tone(8000, pbxHz, saidMs, amplitude) });
    const phone = await this.phone.call();
    const pbx = await this.pbx.nextCall(10_000);
    await Promise.all([phone.answered, pbx.answered]);
    return [phone, pbx];
  }

  async pbxCalls(): Promise<[PhoneCall, PbxCall]> {
    const pbx = await this.pbx.call({ to: this.daemon.addresses.sip[0]!, user: USER_WA_ID });
    const phone = await this.phone.nextCall(10_000);
    await phone.media.connected;
    await phone.accept();
    await pbx.answered;
    pbx.play(tone(8000, pbxHz, saidMs, amplitude));
    return [phone, pbx];
  }

  /** Both talk; what each heard, and the record. */
  async talk([phone, pbx]: [PhoneCall, PbxCall]): Promise<{ atPhone: Pcm; atPbx: Pcm; record: CallRecord }> {
    phone.play(tone(48_000, userHz, saidMs, amplitude));
    await pbx.rtp.hear(saidMs);
    const [atPhone, atPbx] = [phone.media.heard(), pbx.heard()];
    const before = this.records.length;
    phone.hangup();
    await pbx.ended;
    await until(() => this.records.length > before, 'the record');
    return { atPhone, atPbx, record: this.records[before]! };
  }

  async stop(): Promise<void> {
    await this.daemon.stop();
    await this.sandbox.stop();
  }
}

/** The second in which most is heard: who hears, and when, is another matter. */
function loudest(pcm: Pcm): Pcm {
  const step = pcm.rateHz / 10;
  const seconds = Array.from({ length: Math.max(1, Math.floor(pcm.samples.length / step) - 9) }, (_, i) => ({
    ...pcm,
    samples: pcm.samples.slice(i * step, i * step + pcm.rateHz),
  }));
  return seconds.reduce((best, each) => (levelDbfs(each) > levelDbfs(best) ? each : best));
}

describe('a number with PCMA in its settings, and a PBX that speaks it', () => {
  let scene: Scene;
  afterEach(() => scene.stop());

  const expectWell = (heard: Pcm, hz: number): void => {
    expect(Math.abs((strongestHz(loudest(heard)) ?? 0) - hz)).toBeLessThan(8);
    expect(Math.abs(levelDbfs(loudest(heard)) - saidDbfs)).toBeLessThan(1.5);
  };

  it('talks PCMA with Meta once that has the settings, both ways of calling; the record tells codec and level', async () => {
    scene = await Scene.start('apply');
    await scene.told('settings at Meta are as in the file');
    expect(scene.sandbox.exchange.settings.additionalCodecs).toEqual(['PCMA']);
    for (const call of [await scene.userCalls(), undefined]) {
      const { atPhone, atPbx, record } = await scene.talk(call ?? (await scene.pbxCalls()));
      expectWell(atPhone, pbxHz);
      expectWell(atPbx, userHz);
      expect(record.quality).toMatchObject({ whatsapp: { codec: 'PCMA' }, pbx: { codec: 'PCMA' } });
      for (const { received } of [record.quality!.whatsapp!, record.quality!.pbx!]) {
        expect(received.levelMaxDbfs).toBeLessThan(saidDbfs + 1);
        // The mean of a few seconds with some silence in them.
        expect(received.levelAvgDbfs).toBeGreaterThan(saidDbfs - 6);
      }
    }
  }, 60_000);

  it('talks Opus as long as Meta has other settings', async () => {
    scene = await Scene.start('report');
    await scene.told('settings at Meta differ from the file');
    const { atPhone, atPbx, record } = await scene.talk(await scene.userCalls());
    expectWell(atPhone, pbxHz);
    expectWell(atPbx, userHz);
    expect(record.quality).toMatchObject({ whatsapp: { codec: 'opus' }, pbx: { codec: 'PCMA' } });
  }, 60_000);

  it('is refused by Meta if it holds other settings and nobody asks it', async () => {
    scene = await Scene.start('off');
    const pbx = await scene.pbx.call({ to: scene.daemon.addresses.sip[0]!, user: USER_WA_ID });
    await pbx.ended;
    await until(() => scene.records.length > 0, 'the record');
    expect(scene.records[0]).toMatchObject({ metaCode: 100 });
    expect(scene.records[0]?.text).toContain('PCMA is not a codec of this number');
  }, 30_000);
});
