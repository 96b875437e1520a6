import fc from 'fast-check';

/** Any text: every code unit, lone surrogates too, and often what an attacker would write. */
export const hostileText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.string({ unit: 'grapheme', maxLength: 200 }),
  fc
    .array(
      fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
      { maxLength: 200 },
    )
    .map((c) => c.join('')),
  fc
    .array(
      fc.constantFrom(
        '\r\n',
        '\n',
        '\r',
        '\0',
        '"',
        '\\',
        '<',
        '>',
        ';',
        ',',
        '@',
        ':',
        '%',
        ' ',
        '\u202e',
        '\u200f',
        '\u2028',
        '\u0085',
        '👩‍👩‍👧',
        'ب',
        'localhost',
        '|',
        '\ud800',
        'X-Evil: 1',
        'a',
      ),
      { maxLength: 60 },
    )
    .map((c) => c.join('')),
);
