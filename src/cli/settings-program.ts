import type { Command } from 'commander';
import type { ConsoleIo } from './console-io.js';
import type { SettingsApplyOptions, SettingsOptions, SettingsPullOptions } from './settings.js';
import { terminalConfirm } from './terminal-confirm.js';

const SETTINGS_HELP = `
NUMBER is a business number of the configuration: its name, its id or the number itself; without one it is all of them.

Examples:
  sip2wa settings pull sales        (what it prints under settings: goes under the number in the file)
  sip2wa settings plan
  sip2wa settings apply --yes

Exit status: 0 done, and of plan and drift: Meta holds what the file wants; 1 Meta refused or could not be asked, or did not
keep what it confirmed; 2 of plan and drift: Meta holds otherwise; and the command line was wrong
`;

const CONFIG = [
  '-c, --config <file>',
  'configuration file (default: $SIP2WA_CONFIG, then config/default.yaml)',
] as const;
const JSON_OPTION = ['--json', 'print one JSON object on standard output instead'] as const;

/** `sip2wa settings …`. */
export function addSettings(program: Command, io: ConsoleIo, done: (code: number) => void): void {
  const settings = program
    .command('settings')
    .description("compare numbers' settings at Meta with the file, and make them equal")
    .addHelpText('afterAll', SETTINGS_HELP);
  settings
    .command('pull [number...]')
    .description('print what Meta holds, as YAML for the file')
    .option(...CONFIG)
    .option(...JSON_OPTION)
    .option('--sip-credentials', 'ask for the password of each SIP server as well; it is shown as stars')
    .option('--show-secrets', 'show it')
    .action(async (names: string[], options: SettingsPullOptions) => {
      const { settingsPullCommand } = await import('./settings.js');
      done(await settingsPullCommand(names, options, io));
    });
  for (const [command, description] of [
    ['plan', 'show what apply would change, field by field; nothing is sent'],
    ['drift', 'the same, to be run by a monitor'],
  ] as const) {
    settings
      .command(`${command} [number...]`)
      .description(description)
      .option(...CONFIG)
      .option(...JSON_OPTION)
      .action(async (names: string[], options: SettingsOptions) => {
        const { settingsPlanCommand } = await import('./settings.js');
        done(await settingsPlanCommand(names, options, io, undefined, command));
      });
  }
  settings
    .command('apply [number...]')
    .description('send the least that makes Meta hold what the file wants, read back and compare')
    .option(...CONFIG)
    .option(...JSON_OPTION)
    .option('--yes', 'do not ask first; without a terminal nothing is asked')
    .option('--dry-run', 'show the changes and send nothing')
    .action(async (names: string[], options: SettingsApplyOptions) => {
      const { settingsApplyCommand } = await import('./settings.js');
      done(await settingsApplyCommand(names, options, io, terminalConfirm()));
    });
}
