import { z } from 'zod';
import { secretText, type JsonSchema } from './formats.js';
import * as schemas from './list-schemas.js';
import type { Leaf } from './scalar-schema.js';
import { leaves } from './scalar-schema.js';

const SECTION_DOCS: Readonly<Record<string, string>> = {
  graph: "Meta's Graph API.",
  webhook: 'Where Meta delivers webhooks.',
  admin: 'Health checks and admin API.',
  sip: 'The SIP side.',
  'sip.drachtio': 'The drachtio-server; used when sip.server is drachtio.',
  media: 'Audio.',
  settings: "Numbers' settings at Meta.",
  calls: 'How calls are treated.',
  permissions: 'Leave to call users, and how often they may be asked and called.',
  log: 'Log.',
  journal: 'Call journal.',
  cdr: 'Call records.',
};

/** The JSON Schema (draft 7, which editors know) of the configuration file, made of the same schemas that check it. */
export function configJsonSchema(): JsonSchema {
  const root = section('The configuration of sip2wa.');
  for (const { path, leaf } of leaves()) {
    let at = root;
    for (const depth of path.keys()) {
      if (depth === path.length - 1) break;
      const name = path.slice(0, depth + 1).join('.');
      at = (at.properties[path[depth] ?? ''] ??= section(SECTION_DOCS[name] ?? '')) as Section;
    }
    at.properties[path.at(-1) ?? ''] = leafSchema(leaf);
  }
  addList(root, ['graph', 'app_secret'], {
    description: 'App secret that signs webhooks; a list of two while rotating.',
    oneOf: [secretText.json, fromZod(schemas.appSecretListSchema)],
  });
  addList(root, ['sip', 'listen'], fromZod(schemas.sipListenSchema));
  addList(root, ['sip', 'tls'], { description: 'TLS of the embedded server.', ...fromZod(schemas.sipTlsSchema) });
  addList(root, ['media', 'remote_networks'], {
    description: 'Where WhatsApp media may be sent.',
    default: 'public',
    oneOf: [{ type: 'string', enum: ['public', 'any'] }, fromZod(schemas.networkListSchema)],
  });
  addList(root, ['trunks'], list('PBXs and carriers.', schemas.trunkSchema));
  addList(root, ['trunk_defaults'], {
    description: 'For trunks that say nothing, and for numbers served by their settings alone.',
    ...fromZod(schemas.trunkDefaultsSchema),
  });
  addList(root, ['numbers'], list('WhatsApp business numbers.', schemas.numberSchema));
  addList(root, ['routes'], list("For users' calls; first match wins; none: the number's trunk.", schemas.routeSchema));
  return { $schema: 'http://json-schema.org/draft-07/schema#', title: 'sip2wa configuration', ...root };
}

/** The same as the text of `config/schema.json`. */
export function configJsonSchemaText(): string {
  return `${JSON.stringify(configJsonSchema(), null, 2)}\n`;
}

interface Section extends JsonSchema {
  readonly properties: Record<string, JsonSchema>;
}

/** A section may be left empty, as `graph:` with nothing below it. */
function section(description: string): Section {
  return { description, type: ['object', 'null'], properties: {}, additionalProperties: false };
}

/** Secrets have no default worth showing. */
function leafSchema(leaf: Leaf): JsonSchema {
  const env = leaf.env === undefined ? '' : ` Environment: ${leaf.env}.`;
  return {
    description: `${leaf.doc}${env}`,
    ...(leaf.sensitive ? {} : { default: leaf.default }),
    ...leaf.format.json,
  };
}

function list(description: string, item: z.ZodType): JsonSchema {
  return { description, type: ['array', 'null'], items: fromZod(item) };
}

function addList(root: Section, path: readonly string[], schema: JsonSchema): void {
  let at = root;
  for (const name of path.slice(0, -1)) at = at.properties[name] as Section;
  at.properties[path.at(-1) ?? ''] = schema;
}

function fromZod(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { target: 'draft-7', io: 'input', unrepresentable: 'any' });
  return json;
}
