import { expect } from 'vitest';
import { AgentStage, told, type OtherSide } from './agent-stage.js';
import type { AgentScenario } from './agent-scenarios.js';
import { LiveSide } from './other-sides.js';
import { promisedOrder } from './promised-order.js';
import { eventually } from '../../../support/eventually.js';

/** Plays a scenario to its end, and holds the leg's events and what is left behind to what must be. */
export async function playedOn(
  other: OtherSide,
  scenario: AgentScenario,
  last = (): Promise<void> => Promise.resolve(),
): Promise<void> {
  const stage = await AgentStage.before(other, scenario.trunk);
  try {
    const log = await scenario.play(stage);
    await other.finished();
    expect(told(log)).toEqual(scenario.events);
    await eventually(() => stage.agent.legs + stage.media.open === 0, 'nothing left');
    await last();
  } finally {
    await stage.agent.close();
  }
}

/** The same with a server; returns the exchange as it is written down, and as it is compared. */
export async function playedLive(server: Parameters<typeof LiveSide.of>[0], scenario: AgentScenario, frames: number) {
  const side = await LiveSide.of(server);
  try {
    await playedOn(side, scenario, () => side.has(frames));
    expect(side.tooLarge).toEqual([]);
    return { exchange: side.exchange, order: promisedOrder(side.frames, side.names) };
  } finally {
    await side.stop();
  }
}
