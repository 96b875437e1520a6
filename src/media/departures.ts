/** What sends for one socket. */
export interface DepartureGate {
  /** Sends a datagram at once; true if the kernel had no room for it, and its bytes must stay as they are. */
  sendNow(datagram: Buffer, port: number, address: string): boolean;
}

const places = 512;
/** An Ethernet frame's worth; what is longer does not wait. */
const placeBytes = 1500;

interface Place {
  readonly memory: Buffer;
  /** Of the memory: the datagram. */
  bytes: Buffer;
  gate: DepartureGate;
  port: number;
  address: string;
}

const closed: DepartureGate = { sendNow: () => false };

/** Copies of datagrams that leave together, in the order in which they came. */
export class Departures {
  readonly #places: (Place | undefined)[] = [];
  #waiting = 0;

  add(gate: DepartureGate, datagram: Buffer, port: number, address: string): void {
    if (this.#waiting === places || datagram.length > placeBytes) this.sendAll();
    if (datagram.length > placeBytes) {
      gate.sendNow(Buffer.from(datagram), port, address);
      return;
    }
    const place = (this.#places[this.#waiting++] ??= newPlace());
    // Most datagrams are as long as the one before: the view of it does as well.
    if (place.bytes.length !== datagram.length) place.bytes = place.memory.subarray(0, datagram.length);
    place.bytes.set(datagram);
    place.gate = gate;
    place.port = port;
    place.address = address;
  }

  sendAll(): void {
    const waiting = this.#waiting;
    this.#waiting = 0;
    for (let i = 0; i < waiting; i++) {
      const place = this.#places[i];
      if (!place) continue;
      const { gate, bytes, port, address } = place;
      // Those of sockets that are closed since must not stay.
      place.gate = closed;
      // Memory that is under way still is given up: another call's packet must not go out in its place.
      if (gate.sendNow(bytes, port, address)) this.#places[i] = undefined;
    }
  }
}

function newPlace(): Place {
  const memory = Buffer.allocUnsafeSlow(placeBytes);
  return { memory, bytes: memory, gate: closed, port: 0, address: '' };
}
