import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CdrSink } from '../../src/call/call-record.js';
import { loadConfig } from '../../src/config/load-config.js';
import { startDaemon } from '../../src/daemon.js';
import { silentLogger as logger } from '../../src/lib/logger.js';
import { recordOf } from '../support/call-records.js';
import { rtpPorts, webrtcPorts } from '../support/ports.js';
import { RecordEndpoint } from '../support/record-endpoint.js';

const LEFT = '00000000000000001-01A.json';

describe('a daemon that does not come up since another has its port', () => {
  let folder: string;
  let billing: RecordEndpoint;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sip2wa-start-'));
    mkdirSync(join(folder, 'spool'));
    writeFileSync(join(folder, 'spool', LEFT), JSON.stringify(recordOf('01A')));
    billing = await RecordEndpoint.start();
  });
  afterEach(async () => {
    await billing.close();
    rmSync(folder, { recursive: true });
  });

  /** The receiver of the records has the port that the daemon wants as well. */
  async function startOn(taken: 'webhook' | 'admin', cdr?: CdrSink): Promise<void> {
    const { host } = new URL(billing.url);
    const listen = (part: string): string => `"${part === taken ? host : '127.0.0.1:0'}"`;
    const text = `
graph: { access_token: token-of-the-test, app_secret: app-secret-of-the-test, base_url: "http://127.0.0.1:9" }
webhook: { listen: ${listen('webhook')}, verify_token: verify-of-the-test }
admin: { listen: ${listen('admin')} }
sip: { listen: ["udp://127.0.0.1:0"] }
media: { listen_ip: 127.0.0.1, remote_networks: [127.0.0.0/8], rtp_ports: ${rtpPorts.join('-')}, webrtc_ports: ${webrtcPorts.join('-')} }
trunks: [{ name: pbx, servers: [{ hostname: 127.0.0.1, port: 9 }], accept_from: [127.0.0.1/32] }]
trunk_defaults: { qualify: 0s }
numbers: [{ id: "105615555715855", number: "+15551112222", name: sales, trunk: pbx }]
settings: { push: "off" }
journal: { dir: "${folder}/journal" }
cdr: { file: "${folder}/cdr.jsonl", http_url: "${billing.url}", http_spool_dir: "${folder}/spool" }
`;
    const result = loadConfig({ file: 'test.yaml', env: {}, readFile: () => ({ text, mode: 0o600 }) });
    if (!result.ok) throw new Error(JSON.stringify(result.errors));
    await startDaemon({ config: result.config, logger, ...(cdr && { cdr }) }).then((daemon) => daemon.stop());
  }

  it('posts no call record: they may be those of the other', async () => {
    await expect(startOn('webhook')).rejects.toThrow(/^cannot listen on 127\.0\.0\.1:/);
    expect(billing.posted).toEqual([]);
    expect(readdirSync(join(folder, 'spool'))).toContain(LEFT);
  });

  it.each(['webhook', 'admin'] as const)('closes what takes call records, once (%s)', async (taken) => {
    let closed = 0;
    const close = (): Promise<void> => {
      closed++;
      return Promise.resolve();
    };
    const cdr: CdrSink = { write: () => undefined, close };
    await expect(startOn(taken, cdr)).rejects.toThrow(/^cannot listen on 127\.0\.0\.1:/);
    expect(closed).toBe(1);
  });
});
