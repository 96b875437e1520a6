/** Sends a datagram at once; its bytes may be overwritten afterwards. */
export type SendNow = (datagram: Buffer, port: number, address: string) => void;

const places = 512;
/** An Ethernet frame's worth; what is longer does not wait. */
const placeBytes = 1500;

interface Place {
  readonly bytes: Buffer;
  length: number;
  send: SendNow;
  port: number;
  address: string;
}

const nothing: SendNow = () => undefined;

/** Copies of datagrams that leave together, in the order in which they came. */
export class Departures {
  readonly #places: Place[] = [];
  #waiting = 0;

  add(send: SendNow, datagram: Buffer, port: number, address: string): void {
    if (this.#waiting === places || datagram.length > placeBytes) this.sendAll();
    if (datagram.length > placeBytes) {
      send(datagram, port, address);
      return;
    }
    const place = (this.#places[this.#waiting++] ??= {
      ...{ bytes: Buffer.allocUnsafeSlow(placeBytes), length: 0, send: nothing, port: 0, address: '' },
    });
    place.bytes.set(datagram);
    place.length = datagram.length;
    place.send = send;
    place.port = port;
    place.address = address;
  }

  sendAll(): void {
    for (let i = 0; i < this.#waiting; i++) {
      const place = this.#places[i];
      place?.send(place.bytes.subarray(0, place.length), place.port, place.address);
    }
    this.#waiting = 0;
  }
}
