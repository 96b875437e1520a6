/*
 * Cutting of raw header text. It runs over bytes of strangers before anything has judged them, so every function here
 * takes time in proportion to its input: index loops, and no expression in which two repetitions can share a blank.
 */

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09;

/** The text without spaces and tabs around it. */
export function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

/** The lines of a header section, folds still in them (RFC 3261 §7.3.1). */
export function headerLines(text: string): string[] {
  const lines: string[] = [];
  let start = 0;
  for (let end = text.indexOf('\r\n'); end >= 0; end = text.indexOf('\r\n', end + 2)) {
    if (isBlank(text.charCodeAt(end + 2))) continue;
    lines.push(text.slice(start, end));
    start = end + 2;
  }
  lines.push(text.slice(start));
  return lines;
}

/** Name and raw value of a header line; undefined when there is no colon after a name. */
export function cutHeaderLine(line: string): { readonly name: string; readonly value: string } | undefined {
  const colon = line.indexOf(':');
  if (colon < 0) return undefined;
  return { name: trimBlanks(line.slice(0, colon)), value: line.slice(colon + 1) };
}

/** A raw value with each fold as one space, and no blanks around it. */
export const unfold = (value: string): string =>
  value.includes('\r\n') ? trimBlanks(value.split('\r\n').map(trimBlanks).join(' ')) : trimBlanks(value);

/** Positions of the first and the last blank; undefined when there are not two. */
export function outerBlanks(text: string): { readonly first: number; readonly last: number } | undefined {
  let first = 0;
  while (first < text.length && !isBlank(text.charCodeAt(first))) first++;
  let last = text.length - 1;
  while (last > first && !isBlank(text.charCodeAt(last))) last--;
  return last > first ? { first, last } : undefined;
}
