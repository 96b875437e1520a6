/**
 * The text with memory of its own. A piece cut from a message keeps the whole message alive in V8, and so does a text put
 * together from such pieces until it is flattened; what stays for 64·T1 must not.
 */
export const ownText = (text: string): string => Buffer.from(text, 'latin1').toString('latin1');
