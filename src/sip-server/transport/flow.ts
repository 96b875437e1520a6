/** Transports this server speaks. */
export type Protocol = 'udp' | 'tcp' | 'tls';

/** An IP address and port. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * The way to one peer: a datagram socket with the peer's address, or a connection.
 * A flow that was lent out for a request is given back with `release`.
 */
export interface Flow {
  readonly protocol: Protocol;
  /** Does the transport repeat what is lost? Then transactions do not. */
  readonly reliable: boolean;
  readonly remote: Address;
  /** The listener this flow belongs to: what Via and Contact show when nothing else is advertised. */
  readonly local: Address;
  readonly open: boolean;
  /** Never throws: what cannot be sent is lost, as on the network, and told to the transport's sink. */
  send(bytes: Buffer): void;
  /** Calls back once when the peer is found unreachable or the connection fails. Returns the function that stops it. */
  onFailure(callback: (error: Error) => void): () => void;
  release(): void;
  /** Pings of ours come at least this often, in milliseconds; flows that we do not ping have none. */
  pingEvery?(intervalMs: number): void;
}

/** A peer to connect to. */
export interface PeerAddress extends Address {
  /** The host its URI names, as written: what a certificate must prove (RFC 5922 §4). */
  readonly name?: string | undefined;
}

/** What a transport tells. */
export interface TransportSink {
  /** One SIP message, or a datagram that may be one. */
  onMessage(bytes: Buffer, flow: Flow): void;
  onSent(bytes: Buffer, flow: Flow): void;
  onError(what: string, error: unknown): void;
  /** A connection that we opened is gone; the next request to its far end opens another. */
  onLost?(flow: Flow): void;
}
