import { describe, expect, it } from 'vitest';
import { codecsAllowed } from '../../../src/daemon/meta-codecs.js';
import type { WaNumber } from '../../../src/routing/types.js';
import type { SettingsStatus } from '../../../src/whatsapp/settings/settings-watch.js';

const numberWith = (codecs?: readonly string[]): WaNumber =>
  ({ id: '1', name: 'sales', settings: codecs && { audio: { additional_codecs: codecs } } }) as WaNumber;
const status = (state: SettingsStatus['state'], changes: SettingsStatus['changes'] = []): SettingsStatus => ({
  ...{ numberId: '1', number: 'sales', state, changes },
});
const path = 'audio.additional_codecs';

describe('G.711 that Meta takes of a number', () => {
  it('is what the file says where Meta is not asked', () => {
    expect(codecsAllowed(numberWith(['PCMA']), undefined)).toEqual(['PCMA']);
    expect(codecsAllowed(numberWith(['PCMU', 'PCMA']), undefined)).toEqual(['PCMU', 'PCMA']);
    expect(codecsAllowed(numberWith([]), undefined)).toEqual([]);
    expect(codecsAllowed(numberWith(), undefined)).toEqual([]);
    expect(codecsAllowed(numberWith(['G729']), undefined)).toEqual([]);
  });

  it('is none as long as Meta should have been asked and was not', () => {
    expect(codecsAllowed(numberWith(['PCMA']), status('unknown'))).toEqual([]);
  });

  it('is what the file says where Meta holds it, whatever else differs', () => {
    expect(codecsAllowed(numberWith(['PCMA']), status('in step'))).toEqual(['PCMA']);
    const other = status('differs', [{ path: 'call_hours.status', from: 'DISABLED', to: 'ENABLED' }]);
    expect(codecsAllowed(numberWith(['PCMA']), other)).toEqual(['PCMA']);
  });

  it('is only what both have where they differ in it', () => {
    const differs = (from: unknown): SettingsStatus => status('differs', [{ path, from, to: ['PCMA', 'PCMU'] }]);
    expect(codecsAllowed(numberWith(['PCMA', 'PCMU']), differs(['PCMU']))).toEqual(['PCMU']);
    expect(codecsAllowed(numberWith(['PCMA', 'PCMU']), differs([]))).toEqual([]);
    expect(codecsAllowed(numberWith(['PCMA', 'PCMU']), differs({ unreadable: 1 }))).toEqual([]);
    // More at Meta than in the file is not used: the file says what is wanted.
    const more = status('differs', [{ path, from: ['PCMA', 'PCMU'], to: ['PCMA'] }]);
    expect(codecsAllowed(numberWith(['PCMA']), more)).toEqual(['PCMA']);
  });
});
