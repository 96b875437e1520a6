import { z } from 'zod';
import { packageVersion } from '../../lib/package-version.js';
import { operations, type Operation } from './operations.js';
import { components, problem } from './schemas.js';

type Json = Readonly<Record<string, unknown>>;

const refOf = (id: string): string => `#/components/schemas/${id}`;

/** The OpenAPI 3.1 document of the admin API, made of the same schemas that requests are checked by. */
export function openApiDocument(): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const one of operations) (paths[one.path] ??= {})[one.method.toLowerCase()] = operationObject(one);
  paths['/v1/events'] = { get: eventsObject };
  return {
    openapi: '3.1.0',
    info: { title: 'sip2wa admin API', version: packageVersion() },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }, {}],
    paths,
    components: {
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'admin.token; reading from this machine needs none, nor changing where none is configured.',
        },
      },
      schemas: componentSchemas(),
    },
  };
}

function componentSchemas(): Json {
  const { schemas } = z.toJSONSchema(components, { uri: refOf, io: 'output' });
  return Object.fromEntries(Object.entries(schemas).map(([id, schema]) => [id, bare(schema as Json)]));
}

/** Without what says which dialect it is in: OpenAPI 3.1 has that of JSON Schema 2020-12. */
const bare = ({ $schema: _dialect, $id: _id, id: _name, ...schema }: Json): Json => schema;

/** A schema as it stands in an operation: named ones by reference. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output' = 'output'): Json {
  const id = components.get(schema)?.id;
  if (id !== undefined) return { $ref: refOf(id) };
  const inline = bare(z.toJSONSchema(schema, { io, metadata: components, reused: 'inline' }));
  return withRefs(inline) as Json;
}

/** Named schemas that zod has put under `$defs` are among the document's components. */
function withRefs(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withRefs);
  if (typeof value !== 'object' || value === null) return value;
  const { $defs: _defs, ...rest } = value as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(rest).map(([key, item]) => [
      key,
      key === '$ref' && typeof item === 'string' ? item.replace('#/$defs/', refOf('')) : withRefs(item),
    ]),
  );
}

const jsonContent = (schema: Json): Json => ({ 'application/json': { schema } });
const problemAnswer = {
  description: 'It could not be done',
  content: { 'application/problem+json': { schema: schemaOf(problem) } },
};

const streamContent = (schema: Json): Json => ({ 'application/octet-stream': { schema } });

function operationObject({ id, method, path, summary, query, body, answer, isStream, problems = [] }: Operation): Json {
  const statuses = [401, 403, ...(body === undefined && query === undefined ? [] : [400]), ...problems];
  if (body !== undefined) statuses.push(415);
  return {
    operationId: id,
    summary,
    ...parametersOf(path, query),
    ...(method === 'POST' || method === 'PUT'
      ? { requestBody: { required: true, content: jsonContent(schemaOf(body ?? z.strictObject({}), 'input')) } }
      : {}),
    responses: {
      200: { description: 'Done', content: (isStream ? streamContent : jsonContent)(schemaOf(answer)) },
      ...Object.fromEntries(statuses.sort().map((status) => [status, problemAnswer])),
    },
  };
}

function parametersOf(path: string, query: z.ZodObject | undefined): Json {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    ...{ name, in: 'path', required: true, schema: { type: 'string' } },
  }));
  const inQuery = Object.entries(query?.shape ?? {}).map(([name, schema]) => ({
    ...{ name, in: 'query', required: false, schema: schemaOf(schema as z.ZodType) },
  }));
  const parameters = [...inPath, ...inQuery];
  return parameters.length === 0 ? {} : { parameters };
}

const eventsObject: Json = {
  operationId: 'events',
  summary: 'Live changes as server-sent events; nothing is replayed. Telephone numbers are whole.',
  parameters: [
    {
      ...{ name: 'types', in: 'query', required: false, schema: { type: 'string' } },
      description: 'Types that are wanted, with commas between; default: all but call_step and call_quality',
    },
  ],
  responses: {
    200: {
      description:
        'Types: call_started, call_step, call_ended, call_quality, trunk_server, registration, settings, permission, drain, reload, dropped (the last one of a reader that was too slow)',
      content: { 'text/event-stream': { schema: { type: 'string' } } },
    },
    401: problemAnswer,
    503: { description: 'Too many readers, or the daemon stops' },
  },
};
