import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load-config.js';
import { reloaded } from '../../../src/config/reload-keys.js';
import { configOf, errorsOf } from './load.js';

describe('the section hep', () => {
  it('is off by default, and its password is not looked at then', () => {
    expect(configOf('{}\n').hep).toBeUndefined();
    expect(configOf('hep: { password: "${env:NOT_SET_ANYWHERE}" }\n').hep).toBeUndefined();
  });

  it('names the receiver, the capture id and the password, which is a secret', () => {
    expect(configOf('hep: { address: "homer.example.com:9060" }\n').hep).toEqual({
      ...{ receiver: { host: 'homer.example.com', port: 9060 }, captureId: 2001, password: '' },
    });
    const text = 'hep: { address: "[2001:db8::7]:9061", capture_id: 4294967295, password: "${env:HEP_PASSWORD}" }\n';
    const env = { HEP_PASSWORD: 'hep-secret-9' };
    const result = loadConfig({ file: 'c.yaml', env, readFile: () => ({ text, mode: 0o600 }) });
    if (!result.ok) throw new Error('not loaded');
    expect(result.config.hep).toEqual({
      ...{ receiver: { host: '2001:db8::7', port: 9061 }, captureId: 0xffff_ffff, password: 'hep-secret-9' },
    });
    expect(result.secrets).toContain('hep-secret-9');
  });

  it.each([
    ['address: homer', 'must be HOST:PORT or empty'],
    ['address: "127.0.0.1:0"', 'must be HOST:PORT or empty'],
    ['address: "127.0.0.1:9060", capture_id: 4294967296', 'must be a whole number'],
    ['address: "127.0.0.1:9060", password: "${env:NOT_SET_ANYWHERE}"', 'NOT_SET_ANYWHERE is not set'],
  ])('refuses %s', (keys, why) => {
    expect(errorsOf(`hep: { ${keys} }\n`)).toEqual([expect.stringContaining(why)]);
  });

  it('counts from the next start on', () => {
    const [off, on] = ['{}\n', 'hep: { address: "127.0.0.1:9060" }\n'].map((text) => configOf(text));
    if (!off || !on) throw new Error('not loaded');
    expect(reloaded(off, on)).toMatchObject({ changed: [], restart: ['hep'] });
    const moved = configOf('hep: { address: "127.0.0.1:9061", capture_id: 3 }\n');
    expect(reloaded(on, moved)).toMatchObject({ changed: [], restart: ['hep.address', 'hep.capture_id'] });
  });
});
