/** Asks the admin API that serves this page, with the bearer token where one is needed. */

const tokenKey = 'sip2wa-token';
const reconnectMs = 2_000;

/** What the API said no with. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    text: string,
  ) {
    super(text);
  }
}

/** Set by the page: asks the operator for the token; resolves once there is one to try. */
let askToken: () => Promise<string> = () => Promise.reject(new ApiError(401, 'a token is needed'));

export function onTokenNeeded(ask: () => Promise<string>): void {
  askToken = ask;
}

const authorization = (): Record<string, string> => {
  const token = sessionStorage.getItem(tokenKey);
  return token === null ? {} : { authorization: `Bearer ${token}` };
};

/** @throws ApiError */
export async function get<Answer>(path: string): Promise<Answer> {
  return (await asked('GET', path)).json() as Promise<Answer>;
}

/** @throws ApiError */
export async function change(method: 'POST' | 'DELETE', path: string, body?: object): Promise<void> {
  await asked(method, path, body);
}

async function asked(method: string, path: string, body?: object): Promise<Response> {
  for (;;) {
    const response = await fetch(path, {
      method,
      headers: { ...authorization(), ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    if (response.ok) return response;
    if (response.status !== 401) throw new ApiError(response.status, await reasonOf(response));
    sessionStorage.setItem(tokenKey, await askToken());
  }
}

async function reasonOf(response: Response): Promise<string> {
  const problem = (await response.json().catch(() => ({}))) as { title?: string; detail?: string };
  return problem.detail ?? problem.title ?? `HTTP ${response.status}`;
}

/** Follows `/v1/events`, for ever; EventSource cannot show a token. `live` is told whether the stream stands. */
export async function follow(
  types: readonly string[],
  hear: (type: string) => void,
  live: (is: boolean) => void,
): Promise<never> {
  for (;;) {
    try {
      const response = await asked('GET', `v1/events?types=${types.join(',')}`);
      live(true);
      await read(response, hear);
    } catch {
      // Told by `live`; what is wrong shows in the requests beside.
    }
    live(false);
    await new Promise((resolve) => setTimeout(resolve, reconnectMs));
  }
}

async function read(response: Response, hear: (type: string) => void): Promise<void> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
    const lines = (rest + part.value).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const type = /^event: (\w+)$/.exec(line)?.[1];
      if (type !== undefined) hear(type);
    }
  }
}
