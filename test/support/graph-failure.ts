import { GraphError } from '../../src/whatsapp/graph-error.js';

/** The GraphError that a request fails with. @throws Error when it does not, or fails with another */
export async function graphFailure(request: Promise<unknown>): Promise<GraphError> {
  const error: unknown = await request.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof GraphError)) throw new Error(`no GraphError but ${String(error)}`);
  return error;
}
