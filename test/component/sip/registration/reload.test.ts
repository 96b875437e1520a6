import { afterEach, describe, expect, it } from 'vitest';
import { eventually, settled } from '../../../support/eventually.js';
import { sceneAuth } from '../../../support/sip-scene.js';
import { credentialsOf } from './registrar.js';
import { RegistrationScene } from './registration-scene.js';

let scene: RegistrationScene;

describe('trunks that are others after a reload', () => {
  afterEach(() => scene.stop());

  const registered = async (): Promise<void> => {
    scene = await RegistrationScene.start();
    await scene.registrar.admit(600);
    await eventually(() => scene.state === 'up', 'registered');
  };

  it('stay registered where nothing of it has changed', async () => {
    await registered();
    const { registers } = scene.registrar;
    scene.agent.useTrunks([{ ...scene.trunk, maxCalls: 7 }]);
    await settled();
    expect([scene.state, scene.registrar.registers]).toEqual(['up', registers]);
    scene.clock.skip(450_000);
    scene.registrar.grant(await scene.registrar.register(), 600);
    await eventually(() => scene.grants === 2, 'the refresh');
  });

  it('are taken back before they register anew, with what they have now', async () => {
    await registered();
    scene.agent.useTrunks([{ ...scene.trunk, auth: { ...sceneAuth, username: 'next' } }]);
    const last = await scene.registrar.register();
    expect(last.get('Expires')).toBe('0');
    expect(last.get('To')).toContain('sip:bridge@');
    await settled();
    const { registers } = scene.registrar;
    scene.registrar.grant(last);
    const first = await scene.registrar.register();
    expect(scene.registrar.registers).toBe(registers + 1);
    expect(first.get('To')).toContain('sip:next@');
    scene.registrar.challenge(first);
    const second = await scene.registrar.register();
    expect(credentialsOf(second)['username']).toBe('next');
    scene.registrar.grant(second, 600);
    await eventually(() => scene.state === 'up', 'registered anew');
    expect(scene.changes.map(({ state }) => state)).toEqual(['registered', 'unregistered', 'registered']);
  });

  it('that are gone are taken back, and those that are new begin', async () => {
    await registered();
    scene.agent.useTrunks([]);
    const last = await scene.registrar.register();
    expect(last.get('Expires')).toBe('0');
    scene.registrar.grant(last);
    await eventually(() => scene.changes.at(-1)?.state === 'unregistered', 'taken back');
    expect(scene.state).toBe('');
    expect(scene.agent.isKnownSource('127.0.0.1')).toBe(false);
    scene.agent.useTrunks([scene.trunk]);
    scene.registrar.grant(await scene.registrar.register(), 600);
    await eventually(() => scene.state === 'up', 'registered again');
    expect(scene.agent.isKnownSource('127.0.0.1')).toBe(true);
  });
});
