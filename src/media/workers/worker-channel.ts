/** The way to one worker, whatever it runs in. Messages arrive in the order of their sending; none waits for the other side. */
export interface WorkerChannel {
  /** Process id, where there is one. */
  readonly pid: number | undefined;
  /** Messages that were posted and not yet taken by the system: grows when the worker does not read. */
  readonly unsent: number;
  /** What is posted after the end is dropped. Never throws. */
  post(message: object): void;
  /** Sets the one receiver of what the worker says. */
  onMessage(listener: (message: unknown) => void): void;
  /** Sets the receiver of its end, which comes once; `why` is for the log. */
  onEnd(listener: (why: string) => void): void;
  /** Lets go of the worker, which ends by itself. */
  close(): void;
  /** Ends it at once, whatever it is doing. */
  kill(): void;
}
