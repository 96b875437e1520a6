import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BUSINESS_NUMBER, demoConfig, demoIdentity, USER_WA_ID } from '../../src/cli/demo-config.js';
import type { Config } from '../../src/config/config.js';
import { startDaemon, type Daemon } from '../../src/daemon.js';
import { silentLogger } from '../../src/lib/logger.js';
import { amplitudeAt, between, locate } from '../../src/sandbox/audio/measure.js';
import { concat, durationMs, silence, type Pcm } from '../../src/sandbox/audio/pcm.js';
import type { Recording } from '../../src/sandbox/audio/recording.js';
import { marker, tone } from '../../src/sandbox/audio/signals.js';
import type { PbxAnswer } from '../../src/sandbox/pbx/pbx-behaviour.js';
import type { Pbx } from '../../src/sandbox/pbx/pbx.js';
import type { WhatsAppPhone } from '../../src/sandbox/phone/phone.js';
import { startSandbox, type Sandbox } from '../../src/sandbox/sandbox.js';
import { countedSequence, heardSyllables, sequenceMs, syllableMs, throughFile } from '../support/counted-sequence.js';

const acceptDelayMs = 700;
const ackDelayMs = 300;
const pauseMs = 1500;
const probe = marker(8000, 400, 0.35);
const probeEveryMs = 600;
const gap = silence(8000, probeEveryMs - 400);
const says = concat(countedSequence(8000), silence(8000, pauseMs), probe, gap, probe, gap, probe, gap);
const probesAtMs = [0, 1, 2].map((i) => sequenceMs + pauseMs + i * probeEveryMs);
const ringbackHz = 2600;
const attempts = 3;
/** What a loaded machine may be late with, on top of what is played. */
const slackMs = 1500;

interface Heard {
  readonly heard: Recording;
  readonly saidAtMs: number;
  /** What audio spent in the phone's jitter buffer meanwhile: it grows with every stall of the machine. */
  readonly bufferMs: number;
}

/** With an accept that is answered at once, and one that takes its time. */
interface Pair {
  readonly usual: Heard;
  readonly late: Heard;
}

/** The whole daemon between libwebrtc and the sandbox's PBX, with one policy of pre_accept. */
class Scene {
  private constructor(
    readonly sandbox: Sandbox,
    readonly pbx: Pbx,
    readonly phone: WhatsAppPhone,
    readonly daemon: Daemon,
  ) {}

  static async start(preAccept: Config['calls']['preAccept']): Promise<Scene> {
    const identity = demoIdentity();
    const sandbox = await startSandbox({ ...identity, businessNumber: BUSINESS_NUMBER });
    const pbx = await sandbox.pbx();
    const phone = await sandbox.phone({ waId: USER_WA_ID, permission: 'permanent' });
    const config = demoConfig({ identity, graphUrl: sandbox.graphUrl, pbx: pbx.address });
    const daemon = await startDaemon({
      config: { ...config, calls: { ...config.calls, preAccept } },
      logger: silentLogger,
      cdr: { write: () => undefined, close: () => Promise.resolve() },
    });
    const { host, port } = daemon.addresses.webhook;
    sandbox.setWebhook(`http://${host}:${port}${config.webhook.path}`);
    return new Scene(sandbox, pbx, phone, daemon);
  }

  /** A user calls; what the phone heard, and when the PBX began to speak. */
  async userCall(answer: Omit<PbxAnswer, 'do' | 'says'>, acceptMs: number): Promise<Heard> {
    if (acceptMs > 0) this.sandbox.graph.failNext('accept', { status: 200, delayMs: acceptMs });
    this.pbx.onInvite = () => ({ do: 'answer', ...answer, says });
    const phone = await this.phone.call();
    const pbx = await this.pbx.nextCall(10_000);
    await Promise.all([phone.answered, pbx.answered]);
    const saidAtMs = pbx.times.answeredAtMs ?? NaN;
    const until = (ms: number): Promise<void> => phone.media.hear(saidAtMs + ms - performance.now());
    await until(probesAtMs[0]!);
    const before = await phone.media.jitterBuffer();
    await until(durationMs(says));
    const after = await phone.media.jitterBuffer();
    const bufferMs = (1000 * (after.delayS - before.delayS)) / (after.samples - before.samples);
    await until(durationMs(says) + slackMs);
    const heard = phone.media.heard();
    expect(phone.packetsBeforeAnswer).toBe(0);
    phone.hangup();
    await pbx.ended;
    return { heard, saidAtMs, bufferMs };
  }

  async stop(): Promise<void> {
    await this.daemon.stop();
    await this.sandbox.stop();
  }
}

describe('the first word', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sip2wa-first-word-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** All ten, in order, each as long as it was spoken, as judged from the file. */
  const expectWhole = (name: string, heard: Pcm): void => {
    const syllables = heardSyllables(throughFile(join(folder, `${name}.wav`), heard));
    const show = syllables
      .map((one) => (one ? `${one.hz} Hz at ${one.atMs} for ${one.lengthMs}` : 'missing'))
      .join(', ');
    expect(syllables.filter((one) => one !== undefined).length, show).toBe(10);
    const times = syllables.map((one) => one?.atMs ?? NaN);
    expect(
      [...times].sort((a, b) => a - b),
      show,
    ).toEqual(times);
    expect(syllables[0]?.lengthMs, show).toBeGreaterThanOrEqual(100);
    expect(syllables[0]?.lengthMs, show).toBeLessThanOrEqual(syllableMs + 60);
  };

  /** From the PBX's mouth to the phone's jitter buffer, the median of three. */
  const probeDelayMs = ({ heard, saidAtMs, bufferMs }: Heard): number => {
    const seen = probesAtMs.flatMap((atMs) => {
      const fromMs = saidAtMs + atMs - 100;
      const found = locate({ ...between(heard, fromMs, fromMs + probeEveryMs + 200), startMs: fromMs }, probe);
      return found && found.likeness > 0.35 ? [found.atMs - saidAtMs - atMs - bufferMs] : [];
    });
    return seen.sort((a, b) => a - b)[seen.length >> 1] ?? NaN;
  };

  // Calls of several scenes at once: what they take is time.
  describe('of a PBX that answers at once and speaks', () => {
    const policies = ['immediate', 'on_progress', 'never'] as const;
    type Policy = (typeof policies)[number];
    const scenes = new Map<Policy, Scene>();
    /** The first calls with each policy: one that is accepted at once, and one that is not. */
    const first = new Map<Policy, Pair>();
    const calls = (policy: Policy, acceptMs: number): Promise<Heard> =>
      scenes.get(policy)!.userCall({ ring: policy === 'on_progress' }, acceptMs);
    beforeAll(async () => {
      for (const policy of policies) scenes.set(policy, await Scene.start(policy));
      const [usual, late] = [
        await Promise.all(policies.map((policy) => calls(policy, 0))),
        await Promise.all(policies.map((policy) => calls(policy, acceptDelayMs))),
      ];
      policies.forEach((policy, i) => first.set(policy, { usual: usual[i]!, late: late[i]! }));
    }, 120_000);
    afterAll(() => Promise.all([...scenes.values()].map((scene) => scene.stop())));

    it.each(policies)(
      'is heard although accept takes 0.7 s, and the delay goes (pre_accept %s)',
      async (policy) => {
        const added: number[] = [];
        // The phone's time line jumps when the machine stalls: the delay, not the words, may be measured again.
        for (let pair = first.get(policy); pair;) {
          expectWhole(`${policy}-usual-${added.length}`, pair.usual.heard);
          expectWhole(`${policy}-late-${added.length}`, pair.late.heard);
          added.push(probeDelayMs(pair.late) - probeDelayMs(pair.usual));
          if (added.length === attempts || added.some((ms) => ms < 60)) break;
          pair = { usual: await calls(policy, 0), late: await calls(policy, acceptDelayMs) };
        }
        expect(Math.min(...added.map((ms) => (Number.isNaN(ms) ? Infinity : ms))), added.join(', ')).toBeLessThan(60);
      },
      120_000,
    );
  });

  describe('of a PBX with early media', () => {
    const ways = [false, true];
    const scenes: Scene[] = [];
    let calls: Heard[] = [];
    beforeAll(async () => {
      const early = tone(8000, ringbackHz, 5000, 0.3);
      scenes.push(await Scene.start('immediate'), await Scene.start('immediate'));
      calls = await Promise.all(
        ways.map((bare, i) => scenes[i]!.userCall({ early, bare, afterMs: 900 }, acceptDelayMs)),
      );
    });
    afterAll(() => Promise.all(scenes.map((scene) => scene.stop())));

    it.each(ways)('is heard, and ringback is not (200 without SDP: %s)', (bare) => {
      const { heard } = calls[ways.indexOf(bare)]!;
      expectWhole(`early-${bare}`, heard);
      // 60 ms around the answer, which a jitter buffer that has only just begun may stretch; 0.9 s were played.
      expect(soundsForMs(heard, ringbackHz)).toBeLessThanOrEqual(240);
    });
  });

  describe('of the user', () => {
    let scene: Scene;
    beforeEach(async () => {
      scene = await Scene.start('immediate');
    });
    afterEach(() => scene.stop());

    it('is heard by a PBX that acknowledges 0.3 s late, and nothing before its ACK', async () => {
      const udp = scene.daemon.addresses.sip[0]!;
      const call = await scene.pbx.call({ to: udp, user: USER_WA_ID, ackAfterMs: ackDelayMs });
      const phone = await scene.phone.nextCall(10_000);
      await phone.media.connected;
      phone.play(concat(countedSequence(48_000), silence(48_000, 300)));
      await phone.accept();
      await call.answered;
      await call.rtp.hear(sequenceMs + slackMs);
      expect(call.rtp.firstPacketAtMs).toBeGreaterThanOrEqual(call.times.acknowledgedAtMs ?? NaN);
      expectWhole('business', call.heard());
      call.hangup();
      await phone.ended;
    });
  });
});

/** For how long a tone sounds, in all. */
function soundsForMs(pcm: Pcm, hz: number): number {
  const size = pcm.rateHz / 50;
  let windows = 0;
  for (let at = 0; at + size <= pcm.samples.length; at += size) {
    if (amplitudeAt(pcm.samples.subarray(at, at + size), pcm.rateHz, hz) > 0.1) windows++;
  }
  return windows * 20;
}
