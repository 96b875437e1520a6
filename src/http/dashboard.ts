import { readFile } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';

/** The only files that are served: path, file, content type. */
const files: readonly (readonly [path: string, file: string, type: string])[] = [
  ['/', 'dashboard/index.html', 'text/html; charset=utf-8'],
  ['/page.css', 'page.css', 'text/css; charset=utf-8'],
  ['/dashboard/dashboard.css', 'dashboard/dashboard.css', 'text/css; charset=utf-8'],
  ...['dashboard', 'api', 'drawing', 'rungs', 'table'].map(
    (name) => [`/dashboard/${name}.js`, `dashboard/${name}.js`, 'text/javascript; charset=utf-8'] as const,
  ),
];
const pages = new URL('../pages/', import.meta.url);
/** Nothing from elsewhere, nothing inline, in nobody's frame. */
const policy = [
  ...["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data:"],
  ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
].join('; ');

/** The dashboard: a page that is a client of the admin API and knows nothing by itself, so that it is for everybody who gets here. */
export function mountDashboard(app: FastifyInstance): void {
  for (const [path, file, type] of files) {
    app.get(path, async (_request, reply) => {
      const text = await readFile(new URL(file, pages));
      return reply
        .type(type)
        .header('content-security-policy', policy)
        .header('x-content-type-options', 'nosniff')
        .header('referrer-policy', 'no-referrer')
        .header('cache-control', 'no-cache')
        .send(text);
    });
  }
}
