import { createSocket, type Socket } from 'node:dgram';
import { afterEach, describe, expect, it } from 'vitest';
import { readFixture } from '../support/fixtures.js';
import { loopbackSdp } from '../support/loopback-sdp.js';
import { NUMBER_ID, ScriptedBridge } from '../support/scripted-bridge.js';

const offer = loopbackSdp(readFixture('sdp/meta-user-initiated-offer-from-meta.sdp'));

/** A server that answers each request by its method with a status line and headers; it can go and come back. */
class Server {
  #socket: Socket | undefined;
  port = 0;

  constructor(private readonly statuses: Readonly<Record<string, string>>) {}

  async open(): Promise<void> {
    const socket = createSocket('udp4');
    this.#socket = socket;
    socket.on('message', (bytes, from) => {
      const lines = bytes.toString().split('\r\n');
      const method = lines[0]?.split(' ')[0] ?? '';
      const status = this.statuses[method];
      if (status === undefined) return;
      const copied = lines.filter((line) => /^(via|from|to|call-id|cseq):/i.test(line));
      const tagged = copied.map((line) => (/^to:/i.test(line) ? `${line};tag=s` : line));
      socket.send([`SIP/2.0 ${status}`, ...tagged, 'Content-Length: 0', '', ''].join('\r\n'), from.port, from.address);
    });
    await new Promise<void>((resolve) => socket.bind(this.port, '127.0.0.1', resolve));
    this.port = socket.address().port;
  }

  close(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    return socket ? new Promise((resolve) => socket.close(() => resolve())) : Promise.resolve();
  }
}

const busy = { OPTIONS: '200 OK', INVITE: '486 Busy Here' };

describe('a trunk of two servers', () => {
  let bridge: ScriptedBridge;
  let [first, second] = [new Server(busy), new Server(busy)];
  afterEach(async () => {
    await bridge.stop();
    await first.close();
    await second.close();
  });

  const start = async (statuses: Readonly<Record<string, string>>, qualify: string): Promise<void> => {
    [first, second] = [new Server(statuses), new Server(busy)];
    await first.open();
    await second.open();
    bridge = await ScriptedBridge.start({
      trunks: () => `
trunks:
  - name: pbx
    servers:
      - { hostname: 127.0.0.1, port: ${first.port}, priority: 1 }
      - { hostname: 127.0.0.1, port: ${second.port}, priority: 2 }
    accept_from: [127.0.0.1/32]
    qualify: ${qualify}
numbers: [{ id: "${NUMBER_ID}", number: "+15551112222", name: sales, trunk: pbx }]
`,
    });
  };
  const admin = async (path: string): Promise<string> => {
    const { host, port } = bridge.daemon.addresses.admin;
    return (await fetch(`http://${host}:${port}${path}`)).text();
  };
  /** Ports of the servers that a user's call was sent to, in order. */
  const dialled = async (index: number): Promise<number[]> => {
    await bridge.deliver(bridge.userConnect(`wacid.${index}`, offer));
    const { call, code } = await bridge.record(index);
    expect(code).toBe('busy');
    const invites = bridge.daemon.timeline.stepsOf(call).filter(({ step }) => step === 'sip.invite');
    return invites.map(({ detail }) => Number(/:(\d+)$/.exec(String(detail['uri']))?.[1]));
  };
  const becomes = (value: 0 | 1) =>
    expect
      .poll(() => admin('/metrics'), { timeout: 8_000 })
      .toContain(`sip2wa_trunk_up{trunk="pbx",server="127.0.0.1:${first.port}"} ${value}\n`);

  it('goes past the one that is dead, and back to it when it lives again; readyz tells, and stays ready', async () => {
    await start(busy, '1s');
    await first.close();
    await becomes(0);
    expect(await admin('/readyz?verbose')).toContain(`[+] trunk pbx: 127.0.0.1:${first.port} down\n`);
    expect(await admin('/readyz')).toBe('ok\n');
    expect(await dialled(0)).toEqual([second.port]);
    await first.open();
    await becomes(1);
    expect(await dialled(1)).toEqual([first.port]);
  });

  it('leaves the one alone that asks for a pause with Retry-After', async () => {
    await start({ OPTIONS: '200 OK', INVITE: '503 Service Unavailable\r\nRetry-After: 30' }, '0s');
    expect(await dialled(0)).toEqual([first.port, second.port]);
    expect(await dialled(1)).toEqual([second.port]);
    expect(await admin('/readyz?verbose')).toContain(`127.0.0.1:${first.port} unknown, held off\n`);
  });

  it('cranks back on 503 without Retry-After each time', async () => {
    await start({ ...busy, INVITE: '503 Service Unavailable' }, '0s');
    expect(await dialled(0)).toEqual([first.port, second.port]);
    expect(await dialled(1)).toEqual([first.port, second.port]);
  });
});
