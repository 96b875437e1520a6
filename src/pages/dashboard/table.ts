/** What stands in a cell: a text, coloured by its class, or a button. */
export interface Cell {
  readonly text: string;
  readonly kind?: 'up' | 'down' | 'unsure' | 'faint';
  readonly title?: string;
  readonly press?: () => void;
}

export interface Row {
  /** The same thing has the same key from one filling to the next. */
  readonly key: string;
  readonly cells: readonly Cell[];
}

/** Fills a table; rows that stay keep their elements, so that no focus is lost and no reader starts anew. */
export function fill(table: HTMLElement, heads: readonly string[], rows: readonly Row[], nothing: string): void {
  if (!table.querySelector('thead')) table.append(headOf(heads), document.createElement('tbody'));
  const body = table.querySelector('tbody');
  if (!body) return;
  const known = new Map([...body.rows].map((row) => [row.dataset['key'] ?? '', row]));
  const wanted = rows.length === 0 ? [{ key: '', cells: [{ text: nothing, kind: 'faint' as const }] }] : rows;
  wanted.forEach(({ key, cells }, place) => {
    const row = known.get(key) ?? document.createElement('tr');
    known.delete(key);
    row.dataset['key'] = key;
    cells.forEach((cell, column) => put(row.cells[column] ?? row.insertCell(), cell));
    if (rows.length === 0 && row.cells[0]) row.cells[0].colSpan = heads.length;
    if (body.rows[place] !== row) body.insertBefore(row, body.rows[place] ?? null);
  });
  for (const row of known.values()) row.remove();
}

function headOf(heads: readonly string[]): HTMLElement {
  const row = document.createElement('tr');
  for (const text of heads) {
    const head = document.createElement('th');
    head.scope = 'col';
    head.textContent = text;
    row.append(head);
  }
  const head = document.createElement('thead');
  head.append(row);
  return head;
}

function put(place: HTMLTableCellElement, { text, kind, title = '', press }: Cell): void {
  place.className = kind ?? '';
  place.title = title;
  if (!press) {
    if (place.textContent !== text) place.textContent = text;
    return;
  }
  let button = place.querySelector('button');
  if (!button) {
    button = document.createElement('button');
    button.type = 'button';
    place.replaceChildren(button);
  }
  if (button.textContent !== text) button.textContent = text;
  button.onclick = press;
}
