import { describe, expect, it } from 'vitest';
import { readUsage } from '../../../src/whatsapp/graph-usage.js';

const app = (value: unknown): Headers => new Headers({ 'x-app-usage': JSON.stringify(value) });
const account = (value: unknown): Headers => new Headers({ 'x-business-use-case-usage': JSON.stringify(value) });

describe('X-App-Usage', () => {
  it.each([
    [{ call_count: 28, total_time: 25, total_cputime: 31 }, 31, undefined],
    [{ call_count: '99' }, 99, undefined],
    [{ call_count: 0 }, 0, undefined],
    [{ total_time: 100 }, 100, 60_000],
  ])('%j: %i %%', (value, percent, refusedForMs) => {
    expect(readUsage(app(value))).toEqual([{ scope: 'app', percent, refusedForMs }]);
  });
});

describe('X-Business-Use-Case-Usage', () => {
  const usage = (minutes: number, calls = 10): object => ({
    ...{ type: 'whatsapp_business_management', call_count: calls, total_cputime: 1, total_time: 2 },
    estimated_time_to_regain_access: minutes,
  });

  it('is the worst of the accounts, and Meta’s time in minutes', () => {
    expect(readUsage(account({ '102290129340398': [usage(0, 10), usage(19, 100)], '2': [usage(3, 85)] }))).toEqual([
      { scope: 'number', percent: 100, refusedForMs: 19 * 60_000 },
    ]);
    expect(readUsage(account({ '1': [usage(0, 100)] }))).toEqual([
      { scope: 'number', percent: 100, refusedForMs: undefined },
    ]);
  });

  it('beside the app’s', () => {
    const headers = new Headers({
      ...Object.fromEntries(app({ call_count: 1 })),
      ...Object.fromEntries(account({ '1': [usage(0)] })),
    });
    expect(readUsage(headers).map(({ scope, percent }) => [scope, percent])).toEqual([
      ['app', 1],
      ['number', 10],
    ]);
  });
});

it.each([
  [app('much')],
  [app([])],
  [app({})],
  [app({ call_count: -1 })],
  [account({})],
  [account({ '1': {} })],
  [account({ '1': ['much'] })],
  [new Headers({ 'x-app-usage': '{"call_count":' })],
  [new Headers({ 'x-app-usage': `{"call_count":1,"pad":"${'x'.repeat(20_000)}"}` })],
  [new Headers()],
])('what is of no such form is not there (%#)', (headers) => {
  expect(readUsage(headers)).toEqual([]);
});
