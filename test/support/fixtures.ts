import { readFileSync } from 'node:fs';

/** What `test/fixtures/meta-reference/index.json` says of each file beside it. */
export interface MetaFixture {
  readonly file: string;
  readonly kind: 'event' | 'request' | 'response';
  readonly title: string;
  readonly method?: string;
  readonly path?: string;
  readonly repaired: readonly string[];
  readonly note?: string;
}

const root = new URL('../fixtures/', import.meta.url);

export const readFixture = (path: string): string => readFileSync(new URL(path, root), 'utf8');

export const jsonFixture = (path: string): unknown => JSON.parse(readFixture(path));

export const metaIndex = (): readonly MetaFixture[] =>
  (jsonFixture('meta-reference/index.json') as { fixtures: MetaFixture[] }).fixtures;

export const metaFixture = (file: string): unknown => jsonFixture(`meta-reference/${file}`);
