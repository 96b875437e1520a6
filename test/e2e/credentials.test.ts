import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { metaError } from '../support/graph-double.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { pbxSdp, ScriptedBridge } from '../support/scripted-bridge.js';
import type { PeerMessage } from '../support/sip-script-peer.js';
import { until } from '../support/until.js';
import { WrtcPeer } from '../support/wrtc-peer.js';

describe('a token that Meta takes no longer (fault F-25)', () => {
  let bridge: ScriptedBridge;
  let folder: string;
  let good: string;
  const logger = new RecordingLogger();
  const tokenFile = (): string => join(folder, 'token');

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sip2wa-'));
    good = 'canary-new';
    writeFileSync(tokenFile(), 'canary-old\n', { mode: 0o600 });
    bridge = await ScriptedBridge.start({ accessToken: `\${file:${tokenFile()}}`, logger });
    bridge.graph.always = ({ headers }) =>
      headers.authorization === `Bearer ${good}` ? undefined : metaError(401, 190, 'Session has expired');
  });
  afterEach(async () => {
    await bridge.stop();
    rmSync(folder, { recursive: true });
  });

  const ready = async (): Promise<number> => {
    const response = await fetch(`http://127.0.0.1:${bridge.daemon.addresses.admin.port}/readyz`);
    await response.text();
    return response.status;
  };

  /** Calls from the PBX; the final response, acknowledged by the transaction's end alone. */
  async function call(): Promise<PeerMessage> {
    const callId = bridge.pbxCalls().get('Call-ID');
    const isFinal = (message: PeerMessage): boolean =>
      (message.status ?? 0) >= 200 && message.get('Call-ID') === callId;
    return bridge.pbx.next(isFinal, 'a final response');
  }

  it('the PBX is told to come back later without Meta being asked, readyz says so, and a new file heals it', async () => {
    expect(await ready()).toBe(200);
    const refused = await call();
    expect([refused.status, refused.get('Retry-After')]).toEqual([503, '60']);
    const held = await call();
    expect([held.status, held.get('Retry-After')]).toEqual([503, '60']);
    expect(held.get('Warning')).toContain('190');
    expect(bridge.actions).toEqual(['connect']);
    expect(await ready()).toBe(503);
    const details = await fetch(`http://127.0.0.1:${bridge.daemon.addresses.admin.port}/readyz?verbose`);
    expect(await details.text()).toContain('[-] whatsapp credentials\n');

    // A user's call is answered all the same, which Meta refuses.
    const phone = new WrtcPeer();
    await bridge.deliver(bridge.userConnect('wacid.user-1', await phone.offer()));
    await until(() => bridge.actions.includes('pre_accept'), 'an attempt to answer');
    phone.close();

    writeFileSync(`${tokenFile()}.tmp`, `${good}\n`, { mode: 0o600 });
    renameSync(`${tokenFile()}.tmp`, tokenFile());
    const swappedMs = performance.now();
    await until(() => bridge.graph.probes.some(({ headers }) => headers.authorization === `Bearer ${good}`), 'a look');
    await until(() => logger.lines.some(({ message }) => message === 'Meta takes the credentials again'), 'the news');
    expect(performance.now() - swappedMs).toBeLessThan(2_000);
    expect(await ready()).toBe(200);
    bridge.pbxCalls({ body: pbxSdp(40_002) });
    await until(() => bridge.actions.filter((action) => action === 'connect').length === 2, 'a call placed');
    expect(logger.lines.filter(({ message }) => message.startsWith('Meta refuses the credentials'))).toHaveLength(1);
    expect(logger.text()).not.toContain('canary');
  });
});
