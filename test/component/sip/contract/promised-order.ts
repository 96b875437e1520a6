import type { TappedFrame } from '../../sip-server/contract/frame-tap.js';
import { Transcript } from '../../sip-server/contract/transcript.js';

/*
 * What a SIP server promises of the order of frames: each transaction's are in order in both directions, the word on a command
 * follows it, and what either side says in a dialog comes as it was said. Transactions go side by side: which of two is ahead
 * of the other depends on who is busy, so that it is not compared.
 */

/** The frames of each transaction, and of each side of each dialog, as texts that two exchanges can be compared by. */
export interface PromisedOrder {
  readonly transactions: readonly string[];
  readonly dialogs: readonly string[];
}

/** Where a frame of one kind names its command, its transaction and its dialog. */
const PLACES = {
  command: { command: 0, txn: 2, dialog: 3 },
  word: { command: 2, txn: 10, dialog: 11 },
  event: { command: undefined, txn: 8, dialog: 9 },
} as const;

interface Named {
  readonly command: string;
  readonly txn: string;
  readonly dialog: string;
}

/** `names`: of ports and secret, as a transcript wants them. */
export function promisedOrder(frames: readonly TappedFrame[], names: ReadonlyMap<string, string>): PromisedOrder {
  const transactions = new Map<string, TappedFrame[]>();
  const dialogs = new Map<string, TappedFrame[]>();
  for (const frame of frames) {
    const { command, txn, dialog } = namedIn(frame);
    const keys = [command, txn].filter((key) => key !== '');
    const thread = keys.map((key) => transactions.get(key)).find((known) => known !== undefined) ?? [];
    thread.push(frame);
    for (const key of keys) transactions.set(key, thread);
    if (dialog === '' || frame.tokens[1] !== 'sip') continue;
    const said = dialogs.get(`${frame.from} ${dialog}`) ?? [];
    dialogs.set(`${frame.from} ${dialog}`, [...said, frame]);
  }
  const texts = (threads: Iterable<readonly TappedFrame[]>): string[] =>
    [...new Set(threads)].map((thread) => new Transcript(names).lines(thread).join('\n')).sort();
  return { transactions: texts(transactions.values()), dialogs: texts(dialogs.values()) };
}

function namedIn({ from, tokens }: TappedFrame): Named {
  const { command, txn, dialog } = PLACES[from === 'app' ? 'command' : tokens[1] === 'response' ? 'word' : 'event'];
  const at = (place: number | undefined): string => (place === undefined ? '' : (tokens[place] ?? ''));
  // Only frames with SIP in them name either; and requests of the server's own have no name but their dialog's.
  const isSip = from === 'server' || tokens[1] === 'sip';
  const [own, ofDialog] = isSip ? [at(txn), at(dialog)] : ['', ''];
  return { command: at(command), txn: own === 'unsolicited' ? `${own} ${ofDialog}` : own, dialog: ofDialog };
}
