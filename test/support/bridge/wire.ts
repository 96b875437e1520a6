/** One thing seen on a wire between the bridge and the outside, in the order in which it happened. */
export interface Sight {
  readonly at: number;
  readonly atMs: number;
  readonly where: 'sip' | 'graph' | 'webhook' | 'call';
  /** `INVITE>`, `BYE<`, `accept`, `RINGING`, `ending`: `>` leaves the bridge, `<` reaches it. */
  readonly what: string;
  /** Which transaction, dialog, Meta call or call it belongs to. */
  readonly of: string;
  /** Facts that the checks need. */
  readonly also: Readonly<Record<string, string | boolean | number>>;
}

/** Everything that was seen, in order; all fakes of a scene write to the same one. */
export class Wire {
  readonly sights: Sight[] = [];

  constructor(private readonly nowMs: () => number) {}

  note(where: Sight['where'], what: string, of: string, also: Sight['also'] = {}): Sight {
    const sight = { at: this.sights.length, atMs: this.nowMs(), where, what, of, also };
    this.sights.push(sight);
    return sight;
  }

  of(where: Sight['where'], of: string): Sight[] {
    return this.sights.filter((sight) => sight.where === where && sight.of === of);
  }

  /** As text, for a failing test. */
  text(): string {
    return this.sights
      .map(({ atMs, where, what, of, also }) => {
        const facts = Object.entries(also).map(([key, value]) => ` ${key}=${value}`);
        return `${(atMs / 1000).toFixed(1)} ${where} ${of} ${what}${facts.join('')}`;
      })
      .join('\n');
  }
}
