import { request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import type { Clock } from '../../lib/clock.js';
import { withDeadline } from '../../lib/deadline.js';

export interface HttpQuestion {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface HttpAnswer {
  readonly status: number;
  /** Its first 4 KiB. */
  readonly text: string;
}

const longestText = 4096;

/**
 * One HTTP exchange on a connection of its own, redirects not followed. Not `fetch`, which refuses some ports.
 * @throws DeadlineError, or the error of the connection with the system's code
 */
export async function askHttp(question: HttpQuestion, deadlineMs: number, clock: Clock): Promise<HttpAnswer> {
  const { url, method, headers, body } = question;
  const open = url.startsWith('https:') ? requestTls : requestPlain;
  const request = open(url, { method, headers: { ...headers, connection: 'close' }, agent: false });
  const answer = new Promise<HttpAnswer>((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => (text = (text + part).slice(0, longestText)));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', reject);
    });
  });
  request.end(body);
  try {
    return await withDeadline(answer, deadlineMs, 'HTTP answer', clock);
  } finally {
    request.destroy();
  }
}
