import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What tshark takes for broken, as a filter. */
export const malformed = '_ws.malformed || _ws.expert.severity == "Error"';

/** Rows of the fields of the packets that fit, as tshark sees them; `how` is how it is to read the file. */
export async function tshark(
  file: string,
  how: readonly string[],
  filter: string,
  ...fields: readonly string[]
): Promise<string[][]> {
  const wanted = fields.flatMap((field) => ['-e', field]);
  const args = ['-r', file, ...how, '-Y', filter, '-T', 'fields', ...wanted];
  const { stdout } = await run('tshark', args, { timeout: 30_000, maxBuffer: 16 * 2 ** 20 });
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'));
}
