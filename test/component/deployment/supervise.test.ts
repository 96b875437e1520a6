import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { freePort } from '../../support/ports.js';

/** A server that answers the first `answers` datagrams, says so on stdout, and then waits for ever, or ends at SIGTERM. */
const server = (port: number, answers: number): string => `
  const socket = require('dgram').createSocket('udp4');
  let left = ${answers};
  socket.on('message', (bytes, { port, address }) => {
    if (/^OPTIONS [^]*\\r\\n\\r\\n$/.test(bytes)) console.log('asked');
    if (left-- > 0) socket.send('SIP/2.0 200 OK\\r\\n\\r\\n', port, address);
  });
  process.on('SIGTERM', () => { console.log('terminated'); process.exit(3); });
  socket.bind(${port}, '127.0.0.1', () => console.log('pid=' + process.pid));
`;

async function supervised(answers: number) {
  const port = await freePort();
  const child = spawn(
    'bash',
    ['config/drachtio/supervise.sh', '127.0.0.1', String(port), process.execPath, '-e', server(port, answers)],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const said = { text: '' };
  child.stdout.on('data', (bytes: Buffer) => (said.text += bytes.toString()));
  child.stderr.on('data', (bytes: Buffer) => (said.text += bytes.toString()));
  const exit = once(child, 'exit') as Promise<[number | null]>;
  await eventually(() => said.text.includes('pid='), 'server up', 5_000);
  const pid = Number(/pid=(\d+)/.exec(said.text)?.[1]);
  onTestFinished(() => {
    if (isRunning(pid)) process.kill(pid, 'SIGKILL');
    child.kill('SIGKILL');
  });
  return { child, said, exit, isUp: () => isRunning(pid) };
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const asked = (text: string): number => text.split('asked').length - 1;

describe.concurrent('config/drachtio/supervise.sh', () => {
  it('kills a server that answered and then does not, and says so by its exit status', async () => {
    const { exit, said, isUp } = await supervised(1);
    expect(await exit).toEqual([1, null]);
    expect(said.text).toContain('no answer to 3 OPTIONS: killed');
    expect(said.text).not.toContain('terminated');
    expect([asked(said.text), isUp()]).toEqual([4, false]);
  }, 25_000);

  it('leaves a server alone that has never answered, and hands SIGTERM and the exit status through', async () => {
    const { child, exit, said } = await supervised(0);
    await eventually(() => asked(said.text) >= 4, 'asked four times', 20_000);
    expect(child.exitCode).toBeNull();
    child.kill('SIGTERM');
    expect(await exit).toEqual([3, null]);
    expect(said.text).toContain('terminated');
  }, 30_000);
});
