import type { FastifyInstance } from 'fastify';
import { systemClock, type Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import { showsWrongToken, tokenShown } from './admin-access.js';
import { ProblemError, sendProblem } from './api/problem.js';
import { AttemptLimit } from './attempt-limit.js';

/**
 * Wrong tokens that a source may show within the window. More than a page or a monitor with an old token comes to, which must
 * not shut out who has the right one on the same machine; few enough that nothing is found by trying.
 */
const ALLOWED = 20;
const WINDOW_S = 10;

/** After too many wrong tokens from a source no token from there is looked at for a while, right or wrong: 429 (RFC 6585 §4). */
export function limitTokenAttempts(
  app: FastifyInstance,
  { token, logger, clock = systemClock }: { token: () => string; logger: Logger; clock?: Clock },
): void {
  const wrong = new AttemptLimit(ALLOWED, WINDOW_S * 1000, clock);
  app.addHook('onRequest', async (request, reply) => {
    const { ip: remote } = request;
    if (tokenShown(request) === undefined) return;
    if (wrong.isUsedUp(remote)) {
      await sendProblem(reply.header('retry-after', String(WINDOW_S)), new ProblemError('too_many_attempts'));
      return;
    }
    if (!showsWrongToken(request, token())) return;
    wrong.failed(remote);
    logger.warn('wrong token at the admin listener', { remote });
  });
}
