import { z } from 'zod';
import type { Format } from './formats.js';
import type { Complaint } from './issue.js';

/** A value checked by a format; its complaint travels in the issue's `params`. */
export function value<T>(format: Format, description: string, byDefault?: unknown): z.ZodType<T> {
  return z
    .custom<T>()
    .superRefine((written, context) => {
      const complaint = missingOrNull(written) ?? format.complaint(written);
      if (complaint) context.addIssue({ code: 'custom', message: complaint.message, params: { cure: complaint.cure } });
    })
    .meta({ description, ...(byDefault === undefined ? {} : { default: byDefault }), ...format.json });
}

/** A required key that is not there. */
export const MISSING: Complaint = { message: 'is missing', cure: 'add it' };

function missingOrNull(written: unknown): Complaint | undefined {
  if (written === undefined) return MISSING;
  return written === null ? { message: 'has no value', cure: 'give it one, or remove the line' } : undefined;
}
