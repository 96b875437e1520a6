import { describe } from 'vitest';
import { crossings } from './crossing.js';
import { HostileScene } from './hostile-scene.js';

describe('CANCEL and 200 cross', () => crossings(() => HostileScene.start()));
