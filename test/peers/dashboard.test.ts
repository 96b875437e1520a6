import { mkdirSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tone } from '../../src/sandbox/audio/signals.js';
import { Pbx } from '../../src/sandbox/pbx/pbx.js';
import type { PbxBehaviour } from '../../src/sandbox/pbx/pbx-behaviour.js';
import { launchChromium, openPage } from '../support/peers/chromium.js';
import { PeerProcess } from '../support/peers/child.js';

const artefacts = 'test/artefacts';
const answers: PbxBehaviour = { do: 'answer', afterMs: 100, says: tone(8000, 440, 60_000, 0.5) };

// The page as an operator has it open, while a user in another window makes real calls through the daemon.
describe('the dashboard in Chromium', () => {
  let pbx: Pbx;
  let sandbox: PeerProcess;
  let browser: Browser;
  let phone: Page;
  let page: Page;
  let faults: string[];

  beforeEach(async () => {
    mkdirSync(artefacts, { recursive: true });
    pbx = await Pbx.start({ onInvite: () => answers });
    const { host, port } = pbx.address;
    const args = ['dist/main.js', 'sandbox', '--pbx', `${host}:${port}`, '--port', '0'];
    sandbox = PeerProcess.start({ command: process.execPath, args });
    const phoneUrl = await sandbox.ready(20_000, () => /http:\/\/localhost:\d+\//.exec(sandbox.output)?.[0]);
    const url = /calls +(http:\S+)/.exec(sandbox.output)![1]!;
    browser = await launchChromium();
    faults = [];
    phone = await openPage(browser, phoneUrl, faults);
    await phone.getByText('You are +12025550173').waitFor();
    page = await openPage(browser, url, faults);
    await page.locator('#status', { hasText: 'ready' }).waitFor();
  });

  afterEach(async () => {
    await browser.close();
    await sandbox.stop();
    await pbx.stop();
    expect(faults).toEqual([]);
  });

  const call = (): Promise<void> => phone.getByRole('button', { name: 'Call the business' }).click();
  const row = (table: string) => page.locator(`#${table} tbody tr`).first();

  it('shows a call appear, get quality figures, its ladder and charts, and ends it behind a question', async () => {
    expect(await row('calls').innerText()).toBe('No call is up.');
    await call();
    await expect.poll(() => row('calls').innerText(), { timeout: 15_000 }).toMatch(/from WhatsApp[^]*connected/);
    await expect
      .poll(() => row('calls').innerText(), { timeout: 20_000 })
      .toMatch(/opus \/ PCM[AU][^]*0\.\d % \/ 0\.\d %/);
    expect(await row('calls').innerText()).toMatch(/[1-4]\.\d \/ [1-4]\.\d/);
    expect(await row('calls').innerText()).not.toContain('12025550173');
    // Live, and told so to those who cannot see it.
    expect(await page.locator('#status').innerText()).not.toContain('not live');

    await row('calls').getByRole('button').press('Enter');
    const shown = page.locator('#call[open]');
    await shown.waitFor();
    const ladder = await shown.locator('svg.ladder').innerHTML();
    for (const label of [
      'webhook connect',
      'pre_accept',
      'INVITE',
      'ICE connected',
      'DTLS connected',
      'first audio',
      'accept',
    ])
      expect(ladder).toContain(label);
    await expect.poll(() => shown.locator('figure').count(), { timeout: 15_000 }).toBe(4);
    await page.screenshot({ path: `${artefacts}/dashboard-call.png` });

    await shown.getByRole('button', { name: 'Hang up' }).click();
    await page.locator('#confirm').getByRole('button', { name: 'Cancel' }).click();
    expect(await phone.locator('#state').innerText()).toBe('Talking');
    await shown.getByRole('button', { name: 'Hang up' }).click();
    await page.locator('#confirm').getByRole('button', { name: 'Hang up' }).click();
    await phone.locator('#state', { hasText: 'The business hung up' }).waitFor({ timeout: 10_000 });
    await expect.poll(() => row('calls').textContent(), { timeout: 10_000 }).toBe('No call is up.');
    await expect.poll(() => shown.locator('#facts').innerText(), { timeout: 10_000 }).toMatch(/ended: admin/);
  });

  it('is used by keyboard alone: to a call, whose row is live all the while, and to its end', async () => {
    /** What has the focus: its text, and whether that can be seen. */
    const focus = async (): Promise<{ text: string; outline: string }> =>
      page.evaluate(
        '({ text: document.activeElement.textContent.trim(), outline: getComputedStyle(document.activeElement).outlineStyle })',
      );
    const tabTo = async (text: string): Promise<void> => {
      for (let presses = 0; presses < 30; presses++) {
        await page.keyboard.press('Tab');
        const at = await focus();
        if (at.text !== text) continue;
        expect(at.outline).not.toBe('none');
        return;
      }
      throw new Error(`Tab never comes to ${text}`);
    };
    await call();
    await expect.poll(() => row('calls').innerText(), { timeout: 15_000 }).toContain('connected');
    const id = await row('calls').getByRole('button').innerText();
    await tabTo(id);
    const before = await row('calls').innerText();
    await expect.poll(() => row('calls').innerText(), { timeout: 10_000 }).not.toBe(before);
    expect((await focus()).text).toBe(id);
    await page.keyboard.press('Enter');
    await page.locator('#call[open]').waitFor();
    await tabTo('Hang up');
    await page.keyboard.press('Enter');
    await page.locator('#confirm[open]').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('#confirm:not([open])').waitFor({ state: 'attached' });
    expect(await phone.locator('#state').innerText()).toBe('Talking');
    await tabTo('Hang up');
    await page.keyboard.press('Enter');
    await page.locator('#confirm[open]').waitFor();
    await tabTo('Hang up');
    await page.keyboard.press('Enter');
    await phone.locator('#state', { hasText: 'The business hung up' }).waitFor({ timeout: 10_000 });
    await page.keyboard.press('Escape');
    await page.locator('#call:not([open])').waitFor({ state: 'attached' });
  });

  it('shows why a call failed, with its ladder', async () => {
    pbx.onInvite = () => ({ do: 'refuse', status: 486, reason: 'Busy Here' });
    await call();
    await expect.poll(() => row('failures').innerText(), { timeout: 15_000 }).toMatch(/busy\s+486/);
    await row('failures').getByRole('button').click();
    expect(await page.locator('#call[open] svg.ladder').innerHTML()).toContain('486');
  });

  it('drains behind a question, and takes calls again', async () => {
    await page.getByRole('button', { name: 'Drain' }).click();
    await page.locator('#confirm').getByRole('button', { name: 'Drain' }).click();
    await page.locator('#status', { hasText: 'draining' }).waitFor({ timeout: 10_000 });
    await call();
    await phone.locator('#state', { hasText: 'declined' }).waitFor({ timeout: 10_000 });
    await page.getByRole('button', { name: 'Take calls again' }).click();
    await expect.poll(() => page.locator('#status').innerText(), { timeout: 10_000 }).not.toContain('draining');
  });

  it('fits a phone, and both schemes of colour', async () => {
    await call();
    await expect.poll(() => row('calls').innerText(), { timeout: 15_000 }).toContain('connected');
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width: 360, height: 740 });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
      await page.screenshot({ path: `${artefacts}/dashboard-${colorScheme}.png`, fullPage: true });
    }
    const shades = await page.evaluate('getComputedStyle(document.body).backgroundColor');
    await page.emulateMedia({ colorScheme: 'light' });
    expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).not.toBe(shades);
  });
});
