import { didYouMean } from './did-you-mean.js';
import type { Format } from './formats.js';
import { minutesOf } from '../routing/week.js';

export const timeOfDay: Format = {
  json: { type: 'string', pattern: '^([01]\\d|2[0-3]):?[0-5]\\d$' },
  complaint: (value) =>
    minutesOf(value) === undefined
      ? { message: 'must be a time of day', cure: 'write four digits in quotes from "0000" to "2359"' }
      : undefined,
};

export const timezone: Format = {
  json: { type: 'string' },
  complaint: (value) => {
    const name = typeof value === 'string' ? value : '';
    const near = nearestTimezone(name);
    if (isTimezone(name) && near?.toLowerCase() !== name.toLowerCase()) return undefined;
    if (near === name) return undefined;
    const cure = near ? `did you mean ${near}?` : 'write its IANA name, for example America/Manaus';
    return { message: 'must be a time zone', cure };
  },
};

export const date: Format = {
  json: { type: 'string', pattern: '^\\d{4}-\\d{2}-\\d{2}$' },
  complaint: (value) =>
    typeof value === 'string' && isDate(value)
      ? undefined
      : { message: 'must be a date', cure: 'write it as "2027-01-01"' },
};

export const country: Format = {
  json: { type: 'string', pattern: '^[A-Z]{2}$' },
  complaint: (value) =>
    typeof value === 'string' && /^[A-Z]{2}$/.test(value)
      ? undefined
      : { message: 'must be a country', cure: 'write its two letters (ISO 3166), in capitals and in quotes: "BR"' },
};

export const mediaId: Format = {
  json: { type: 'string', pattern: '^\\d{1,40}$' },
  complaint: (value) =>
    typeof value === 'string' && /^\d{1,40}$/.test(value)
      ? undefined
      : { message: 'must be the id of an uploaded file', cure: 'write the digits Meta gave for it, in quotes' },
};

/** Meta's spelling is IANA's: `america/manaus`, which Node takes as well, would be refused there. */
function nearestTimezone(name: string): string | undefined {
  const known = [...Intl.supportedValuesOf('timeZone'), 'UTC'];
  return known.includes(name) ? name : didYouMean(name, known);
}

function isTimezone(name: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{1,63}$/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const day = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text);
}
