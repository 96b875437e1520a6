import type { Command, Option } from 'commander';
import type { ConsoleIo } from './console-io.js';
import { EXIT } from './console-io.js';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** A command with what may follow it. */
interface Node {
  /** Names from the program on, without the program's own. */
  readonly path: readonly string[];
  readonly description: string;
  readonly commands: readonly Node[];
  readonly options: readonly { readonly flags: readonly string[]; readonly text: string; readonly isFile: boolean }[];
  /** Words that an argument is one of. */
  readonly words: readonly string[];
}

const WRITERS: Readonly<Record<Shell, (tree: Node) => string>> = { bash, zsh, fish };

/** Prints the completion script of a shell, made of the program's own commands and options. Exit code 0, or 2. */
export function completionCommand(program: Command, shell: string, io: ConsoleIo): number {
  const known = SHELLS.find((one) => one === shell);
  if (known === undefined) {
    io.stderr(`sip2wa completion: the shell is one of ${SHELLS.join(', ')}\n`);
    return EXIT.usage;
  }
  io.stdout(WRITERS[known](nodeOf(program, [])));
  return EXIT.ok;
}

function nodeOf(command: Command, path: readonly string[]): Node {
  const help = command.createHelp();
  return {
    path,
    description: firstLine(command.description()),
    commands: help
      .visibleCommands(command)
      .filter((one) => one.name() !== 'help')
      .map((one) => nodeOf(one, [...path, one.name()])),
    options: help.visibleOptions(command).map(optionOf),
    words: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
  };
}

const optionOf = ({ short, long, description, flags }: Option): Node['options'][number] => ({
  flags: [short, long].filter((flag) => flag !== undefined && flag !== null),
  text: firstLine(description.trim()),
  isFile: flags.includes('<file>'),
});

/** What shells would read as something of theirs is left out. */
const firstLine = (text: string): string =>
  (text.split('\n')[0] ?? '').replaceAll(': ', ' - ').replace(/['"`$\\[\]:]/g, '');

const all = (node: Node): Node[] => [node, ...node.commands.flatMap(all)];
const key = ({ path }: Node): string => path.join(' ');

const wordsAfter = (node: Node): string[] => [
  ...node.commands.map(({ path }) => path.at(-1) ?? ''),
  ...node.words,
  ...node.options.flatMap(({ flags }) => flags.filter((flag) => flag.startsWith('--'))),
];

const fileFlags = (tree: Node): string =>
  [...new Set(all(tree).flatMap(({ options }) => options.flatMap(({ flags, isFile }) => (isFile ? flags : []))))].join(
    '|',
  );

function bash(tree: Node): string {
  const nodes = all(tree);
  const steps = nodes.slice(1).map((node) => `'${key(node)}'`);
  const cases = nodes.map((node) => `    '${key(node)}') words='${wordsAfter(node).join(' ')}' ;;`);
  return `# bash completion of sip2wa: source <(sip2wa completion bash)
_sip2wa() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" at='' word words=''
  case "$prev" in ${fileFlags(tree)}) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;; esac
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${at:+$at }$word" in ${steps.join('|')}) at="\${at:+$at }$word" ;; esac
  done
  case "$at" in
${cases.join('\n')}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _sip2wa sip2wa
`;
}

function zsh(tree: Node): string {
  const nodes = all(tree);
  const steps = nodes.slice(1).map((node) => `'${key(node)}'`);
  const described = (node: Node): string[] => [
    ...node.commands.map(({ path, description }) => `'${path.at(-1) ?? ''}:${description}'`),
    ...node.words.map((word) => `'${word}'`),
    ...node.options.flatMap(({ flags, text }) =>
      flags.filter((flag) => flag.startsWith('--')).map((flag) => `'${flag}:${text}'`),
    ),
  ];
  const cases = nodes.map((node) => `    '${key(node)}') entries=(${described(node).join(' ')}) ;;`);
  return `#compdef sip2wa
# zsh completion of sip2wa: sip2wa completion zsh > "\${fpath[1]}/_sip2wa"
_sip2wa() {
  local at='' word
  local -a entries
  case "$words[CURRENT-1]" in ${fileFlags(tree)}) _files; return ;; esac
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "\${at:+$at }$word" in ${steps.join('|')}) at="\${at:+$at }$word" ;; esac
  done
  case "$at" in
${cases.join('\n')}
  esac
  _describe 'sip2wa' entries
}
# zsh runs a file of its function path at the first Tab, and expects what that is to offer
if [[ "$funcstack[1]" == _sip2wa ]]; then _sip2wa "$@"; else compdef _sip2wa sip2wa; fi
`;
}

function fish(tree: Node): string {
  const lines = all(tree).flatMap((node) => {
    const condition = conditionOf(node);
    return [
      ...node.commands.map(({ path, description }) => `${condition} -a '${path.at(-1) ?? ''}' -d '${description}'`),
      ...node.words.map((word) => `${condition} -a '${word}'`),
      ...node.options.map((option) => `${condition}${fishFlags(option)} -d '${option.text}'`),
    ];
  });
  return `# fish completion of sip2wa: sip2wa completion fish > ~/.config/fish/completions/sip2wa.fish
complete -c sip2wa -f
${lines.join('\n')}
`;
}

/** Where a node's words may stand: behind its own path, before any of its commands. */
function conditionOf(node: Node): string {
  const seen = node.path.map((name) => `__fish_seen_subcommand_from ${name}`);
  const next = node.commands.map(({ path }) => path.at(-1) ?? '');
  const before = next.length === 0 ? [] : [`not __fish_seen_subcommand_from ${next.join(' ')}`];
  const tests = [...seen, ...before].join('; and ');
  return `complete -c sip2wa${tests === '' ? '' : ` -n '${tests}'`}`;
}

const fishFlags = ({ flags, isFile }: Node['options'][number]): string =>
  `${flags.map((flag) => (flag.startsWith('--') ? ` -l ${flag.slice(2)}` : ` -s ${flag.slice(1)}`)).join('')}${isFile ? ' -r -F' : ''}`;
