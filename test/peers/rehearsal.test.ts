import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { strongestHz } from '../../src/sandbox/audio/measure.js';
import { tone } from '../../src/sandbox/audio/signals.js';
import { Pbx } from '../../src/sandbox/pbx/pbx.js';
import { PeerProcess } from '../support/peers/child.js';
import { launchChromium, openPage } from '../support/peers/chromium.js';
import { sine } from '../support/peers/sound.js';
import { writeWav } from '../support/peers/wav.js';

const userHz = 620;
const pbxHz = 840;

/** What the speaker plays: the strongest frequency of half a second, Hz; 0 for silence. Text, since the tests know no DOM. */
const listening = `(async () => {
  const stream = document.getElementById('speaker').srcObject;
  if (!stream) return 0;
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 16384;
  context.createMediaStreamSource(stream).connect(analyser);
  const until = context.currentTime + 0.6;
  while (context.currentTime < until) await new Promise(requestAnimationFrame);
  const levels = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(levels);
  const loudest = levels.indexOf(Math.max(...levels));
  const hz = levels[loudest] < -60 ? 0 : (loudest * context.sampleRate) / analyser.fftSize;
  await context.close();
  return hz;
})()`;

// `sip2wa sandbox` as an operator uses it: a browser with a microphone, the daemon, a PBX of one's own.
describe('the rehearsal phone in Chromium', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sip2wa-rehearsal-'));
  let pbx: Pbx;
  let browser: Browser;
  let page: Page;
  let faults: string[];
  let sandbox: PeerProcess;

  beforeEach(async () => {
    const wav = join(folder, 'microphone.wav');
    writeWav(wav, sine(userHz, 2_000, 48_000));
    pbx = await Pbx.start({ onInvite: () => ({ do: 'answer', afterMs: 300, says: tone(8000, pbxHz, 20_000, 0.5) }) });
    const { host, port } = pbx.address;
    const args = ['dist/main.js', 'sandbox', '--pbx', `${host}:${port}`, '--port', '0'];
    sandbox = PeerProcess.start({ command: process.execPath, args });
    const url = await sandbox.ready(20_000, () => /http:\/\/localhost:\d+\//.exec(sandbox.output)?.[0]);
    browser = await launchChromium(wav);
    faults = [];
    page = await openPage(browser, url, faults);
    await page.getByText('You are +12025550173').waitFor();
  });

  afterEach(async () => {
    await browser.close();
    await sandbox.stop();
    await pbx.stop();
    expect(await sandbox.exit(1_000)).toBe(0);
    expect(sandbox.output).not.toMatch(/ ERROR /);
    expect(faults).toEqual([]);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const state = (text: string): Promise<void> => page.locator('#state', { hasText: text }).waitFor({ timeout: 20_000 });
  const expectHz = async (hz: number): Promise<void> => {
    const isHeard = async (): Promise<boolean> => Math.abs(Number(await page.evaluate(listening)) / hz - 1) < 0.02;
    await expect.poll(isHeard, { timeout: 15_000 }).toBe(true);
  };

  it('calls the business: both hear the other’s tone, keys arrive, the PBX hangs up', async () => {
    await page.getByRole('button', { name: 'Call the business' }).click();
    const call = await pbx.nextCall(15_000);
    await state('Talking');
    await expectHz(pbxHz);
    for (const key of ['1', '5', '#']) await page.getByRole('button', { name: key, exact: true }).click();
    await expect.poll(() => call.rtp.keys.join(''), { timeout: 10_000 }).toBe('15#');
    expect(strongestHz(call.heard())! / userHz).toBeCloseTo(1, 1);
    expect(await page.locator('#steps').innerText()).toMatch(
      /accept: answered 200[^]*pre_accept: answered 200[^]*webhook connect/,
    );
    call.hangup();
    await state('The business hung up');
  });

  it('grants permission, is called, picks up, hears and is heard, and hangs up', async () => {
    await page.getByRole('button', { name: 'Always allow' }).click();
    await page.locator('#permission-now', { hasText: 'always allowed' }).waitFor();
    const port = Number(/SIP at udp:\/\/[\d.]+:(\d+)/.exec(sandbox.output)![1]);
    const call = await pbx.call({ to: { host: '127.0.0.1', port }, user: '+12025550173', from: '+12025550142' });
    await page.getByRole('button', { name: 'Accept' }).click({ timeout: 15_000 });
    await state('Talking');
    call.play(tone(8000, pbxHz, 20_000, 0.5));
    await expectHz(pbxHz);
    expect(strongestHz(call.heard())! / userHz).toBeCloseTo(1, 1);
    await page.getByRole('button', { name: 'Hang up' }).click();
    await state('You hung up');
    expect((await call.ended).by).toBe('peer');
  });
});
