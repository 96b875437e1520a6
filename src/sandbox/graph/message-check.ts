import { invalidParameter, unknownTemplate } from './graph-error.js';

export type Fields = Readonly<Record<string, unknown>>;

const MAX_BODY = 1024;

/** A JSON object. @throws GraphRefusal 100 for anything else */
export function fieldsOf(value: unknown): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalidParameter('body must be JSON');
  return value as Fields;
}

/**
 * Whether a message asks for call permission, free-form or by a template that was approved with a `call_permission_request`
 * component (`templates`, by name). @throws GraphRefusal 100 for a message of a wrong form, 132001 for an unknown template
 */
export function asksPermission(body: Fields, templates: ReadonlySet<string>): boolean {
  switch (body['type'] ?? 'text') {
    case 'text':
      if (typeof fieldsOf(body['text'])['body'] !== 'string') throw invalidParameter('text.body is required');
      return false;
    case 'interactive':
      return checkInteractive(fieldsOf(body['interactive']));
    case 'template':
      checkTemplate(fieldsOf(body['template']), templates);
      return true;
    default:
      throw invalidParameter('type must be text, interactive or template');
  }
}

/** What the user reads of a request for permission that was checked: its text, or the template's name. */
export function wordsOf(body: Fields): string {
  if (body['type'] === 'template') return String(fieldsOf(body['template'])['name']);
  const { body: words } = fieldsOf(body['interactive']);
  return words === undefined ? '' : String(fieldsOf(words)['text']);
}

function checkInteractive(interactive: Fields): boolean {
  if (interactive['type'] !== 'call_permission_request') return false;
  if (fieldsOf(interactive['action'])['name'] !== 'call_permission_request') {
    throw invalidParameter('interactive.action.name must be call_permission_request');
  }
  if (interactive['header'] ?? interactive['footer']) throw invalidParameter('interactive: no header or footer');
  const text = interactive['body'] === undefined ? '' : fieldsOf(interactive['body'])['text'];
  if (typeof text !== 'string' || text.length > MAX_BODY) {
    throw invalidParameter(`interactive.body.text: at most ${MAX_BODY} characters`);
  }
  return true;
}

function checkTemplate(template: Fields, templates: ReadonlySet<string>): void {
  const { name, language } = template;
  if (typeof fieldsOf(language)['code'] !== 'string') throw invalidParameter('template.language.code is required');
  if (typeof name !== 'string' || !templates.has(name)) throw unknownTemplate(String(name));
}
