export interface Carrier {
  /** From the repository's top. */
  readonly file: string;
  /** The test's title as it stands in the file, or the part of it before the first value filled in. */
  readonly title: string;
}

export interface Row extends Carrier {
  /** Section of the reference. */
  readonly section: Section;
  readonly field: string;
  /** What the test's file calls it, when not by the last part of the field. */
  readonly as: string | undefined;
}

export type Section =
  | 'settings'
  | 'calls endpoint'
  | 'call_permissions'
  | 'connect webhook'
  | 'status webhook'
  | 'terminate webhook'
  | 'permission reply'
  | 'session description'
  | 'webhook envelope';

/** A field, with what the test's file calls it when that is another word. */
export type Field = string | readonly [field: string, as: string];

/** Rows of one test. */
export const carry = (section: Section, file: string, title: string, ...fields: readonly Field[]): Row[] =>
  fields.map((field) => {
    const [path, as] = typeof field === 'string' ? [field, undefined] : field;
    return { section, field: path, as, file, title };
  });
