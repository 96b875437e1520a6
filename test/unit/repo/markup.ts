/** An element of an XML text: enough to look at settings files, which use no entities, namespaces or CDATA. */
export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly Element[];
  /** Text directly inside, trimmed. */
  readonly text: string;
}

interface Open {
  name: string;
  attributes: Record<string, string>;
  children: Element[];
  text: string;
}

/** Reads an XML text. @throws Error when it is not well-formed */
export function parseMarkup(xml: string): Element {
  const stack: Open[] = [{ name: '', attributes: {}, children: [], text: '' }];
  const last = (): Open => stack[stack.length - 1]!;
  const plain = xml.replace(/<!--((?:(?!--)[^])*)-->/g, '');
  if (plain.includes('<!--') || plain.includes('-->')) throw new Error('a comment is not well-formed');
  for (const [, closing = '', name, attributes = '', empty, text] of plain.matchAll(
    /<(\/)?([A-Za-z][\w-]*)((?:\s+[\w-]+="[^"<]*")*)\s*(\/)?>|([^<>]+)|[<>]/g,
  )) {
    if (text !== undefined) last().text += text;
    else if (name === undefined) throw new Error(`stray bracket inside <${last().name}>`);
    else if (closing !== '') close(stack, name);
    else {
      const element = { name, attributes: readAttributes(attributes), children: [], text: '' };
      last().children.push(element);
      if (empty === undefined) stack.push(element);
    }
  }
  const root = stack[0]!;
  if (stack.length > 1 || root.children.length !== 1 || root.text.trim() !== '')
    throw new Error('not one closed element');
  return trimmed(root.children[0]!);
}

function close(stack: Open[], name: string): void {
  const open = stack.pop();
  if (open?.name !== name || stack.length === 0) throw new Error(`</${name}> closes <${open?.name ?? ''}>`);
}

function readAttributes(text: string): Record<string, string> {
  const pairs = [...text.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value] as const);
  if (new Set(pairs.map(([name]) => name)).size !== pairs.length) throw new Error(`an attribute twice:${text}`);
  return Object.fromEntries(pairs);
}

function trimmed(element: Element): Element {
  return { ...element, text: element.text.trim(), children: element.children.map(trimmed) };
}

/** Every element of a name, at any depth, in order. */
export function allOf(element: Element, name: string): Element[] {
  return element.children.flatMap((child) => [...(child.name === name ? [child] : []), ...allOf(child, name)]);
}

/** The one element of a name. @throws Error when there is none or more than one */
export function oneOf(element: Element, name: string): Element {
  const [first, ...more] = allOf(element, name);
  if (first === undefined || more.length > 0) throw new Error(`${more.length + (first ? 1 : 0)} elements <${name}>`);
  return first;
}
