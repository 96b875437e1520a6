import type { Config } from '../config/config.js';
import { loadConfig } from '../config/load-config.js';
import { systemClock, type Clock } from '../lib/clock.js';
import { toUserAddress, type UserAddress } from '../routing/user-address.js';
import { GraphError } from '../whatsapp/graph-error.js';
import { GraphPermissions } from '../whatsapp/permissions/graph-permissions.js';
import { SEND_REQUEST, type PermissionAnswer } from '../whatsapp/permissions/permission-answer.js';
import { requestMessage, type PermissionApi, type RequestMessage } from '../whatsapp/permissions/permission-api.js';
import { reportCheck } from './check.js';
import { EXIT, type ConsoleIo } from './console-io.js';
import { graphClientOf } from './graph-client-of.js';
import { numberNamed, UsageError } from './named-in-config.js';
import {
  answerJson,
  answerText,
  errorJson,
  errorText,
  refusedText,
  sentJson,
  sentText,
  type PermissionParties,
} from './permissions-report.js';

/** Arguments of both subcommands. */
export interface PermissionsOptions {
  readonly config?: string;
  readonly json?: boolean;
}

export interface PermissionsRequestOptions extends PermissionsOptions {
  /** What the user is asked with, in place of what the configuration says. */
  readonly text?: string;
  readonly template?: string;
  readonly language?: string;
  /** Ask without looking first whether Meta allows it. */
  readonly force?: boolean;
}

/** Meta's cap on the text of an interactive message, in characters. */
const TEXT_CAP = 1024;

/** What a subcommand works with once the command line and the configuration are read. */
interface Question extends PermissionParties {
  readonly api: PermissionApi;
  readonly config: Config;
}

/**
 * `sip2wa permissions get`: shows what Meta says of a user's permission. Exit code 0, 1 when Meta could not be asked or the
 * configuration has errors, 2 when the question makes no sense.
 */
export function permissionsGetCommand(
  number: string,
  user: string,
  options: PermissionsOptions,
  io: ConsoleIo,
  clock: Clock = systemClock,
): Promise<number> {
  return answering('get', options, io, clock, [number, user], async (question) => {
    const answer = await question.api.lookUp(metaArgs(question));
    const nowMs = clock.now();
    io.stdout(options.json ? json(answerJson(question, answer)) : answerText(question, answer, nowMs));
    return EXIT.ok;
  });
}

/**
 * `sip2wa permissions request`: asks a user for permission, unless Meta says that this cannot be done now. Exit code 0 when it
 * was sent, 1 when it was not, 2 when the command line makes no sense.
 */
export function permissionsRequestCommand(
  number: string,
  user: string,
  options: PermissionsRequestOptions,
  io: ConsoleIo,
  clock: Clock = systemClock,
): Promise<number> {
  return answering('request', options, io, clock, [number, user], async (question) => {
    const message = messageOf(options, question.config);
    if (!options.force) {
      const answer = await question.api.lookUp(metaArgs(question));
      if (answer.actions.get(SEND_REQUEST)?.can === false) return refused(question, answer, options, io, clock.now());
    }
    const messageId = await question.api.request({ ...metaArgs(question), message });
    io.stdout(options.json ? json(sentJson(question, message, messageId)) : sentText(question, message, messageId));
    return EXIT.ok;
  });
}

function refused(
  question: Question,
  answer: PermissionAnswer,
  options: PermissionsOptions,
  io: ConsoleIo,
  nowMs: number,
): number {
  const why = refusedText(answer, nowMs);
  if (options.json) io.stdout(json({ ...answerJson(question, answer), ok: false, error: { message: why } }));
  else io.stderr(`sip2wa permissions request: ${why}; --force asks all the same\n`);
  return EXIT.failed;
}

/** Reads configuration and arguments, does the work, and says what Meta said when it failed. */
async function answering(
  command: 'get' | 'request',
  options: PermissionsOptions,
  io: ConsoleIo,
  clock: Clock,
  [number, user]: readonly [string, string],
  work: (question: Question) => Promise<number>,
): Promise<number> {
  const result = loadConfig({ file: options.config, env: io.env });
  if (!result.ok) return reportCheck(result, options.json === true, io);
  const { config } = result;
  const graph = graphClientOf(config, clock);
  try {
    const parties = { number: numberNamed(number, config.numbers), user: userNamed(user) };
    return await work({ ...parties, api: new GraphPermissions(graph), config });
  } catch (error) {
    if (error instanceof UsageError) {
      io.stderr(`sip2wa permissions ${command}: ${error.message}\n`);
      return EXIT.usage;
    }
    if (!(error instanceof GraphError)) throw error;
    if (options.json) io.stdout(json(errorJson(error)));
    else io.stderr(`sip2wa permissions ${command}: ${errorText(error)}\n`);
    return EXIT.failed;
  } finally {
    graph.close();
  }
}

const metaArgs = ({ number, user }: PermissionParties) => ({ numberId: number.id, user });

const json = (report: Readonly<Record<string, unknown>>): string => `${JSON.stringify(report, null, 2)}\n`;

function userNamed(text: string): UserAddress {
  const user = toUserAddress(text);
  if (user) return user;
  throw new UsageError(
    `${text} is no user: write a number with country code, like +49301234567, or a user id, like US.1349`,
  );
}

function messageOf(options: PermissionsRequestOptions, { permissions }: Config): RequestMessage {
  const { text, template, language } = options;
  const requestTemplate = template ?? permissions.requestTemplate;
  checkMessage(options, requestTemplate);
  if (text !== undefined) return { kind: 'text', text };
  return requestMessage({ ...permissions, requestTemplate, requestLanguage: language ?? permissions.requestLanguage });
}

function checkMessage({ text, template, language }: PermissionsRequestOptions, used: string | undefined): void {
  if (text !== undefined && (template ?? language) !== undefined) {
    throw new UsageError('--text, or --template with --language, not both');
  }
  if (text?.trim() === '' || (text?.length ?? 0) > TEXT_CAP)
    throw new UsageError(`--text is 1 to ${TEXT_CAP} characters`);
  if (language !== undefined && used === undefined) {
    throw new UsageError('--language is for templates, and the configuration names none: use --template');
  }
}
