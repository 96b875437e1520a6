import { expect, it } from 'vitest';
import { RequestTable } from '../../../src/sip-server/core/request-table.js';
import type { Dialog } from '../../../src/sip-server/dialog/dialog.js';

const dialogOf = (id: string): Dialog => ({ id }) as unknown as Dialog;
const one = dialogOf('one');
const other = dialogOf('other');

it('finds requests by TXN and by dialog, also by one that is made later', () => {
  const table = new RequestTable<{ txn: string; dialog: Dialog | undefined; n?: number }>();
  const [a, b, c] = [
    { txn: 'a', dialog: one },
    { txn: 'b', dialog: other },
    { txn: 'c', dialog: undefined as Dialog | undefined },
  ];
  for (const request of [a, b, c]) table.add(request);
  expect(table.ofDialog(one)).toEqual([a]);
  c.dialog = one;
  table.noteDialog(c);
  expect(table.ofDialog(one)).toEqual([a, c]);
  expect(table.get('b')).toBe(b);
  expect(table.delete('a')).toBe(true);
  expect(table.delete('a')).toBe(false);
  expect(table.ofDialog(one)).toEqual([c]);
  expect(table.all()).toEqual([b, c]);
  table.clear();
  expect([table.size, table.ofDialog(other)]).toEqual([0, []]);
});

it('a request that is sent once more takes the place of the first', () => {
  const table = new RequestTable<{ txn: string; dialog: Dialog | undefined; n: number }>();
  table.add({ txn: 'a', dialog: one, n: 1 });
  table.add({ txn: 'a', dialog: one, n: 2 });
  expect(table.ofDialog(one).map(({ n }) => n)).toEqual([2]);
  table.delete('a');
  expect(table.ofDialog(one)).toEqual([]);
});
