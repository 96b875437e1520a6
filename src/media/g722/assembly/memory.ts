/**
 * Where things stand in the module's memory. The host puts the `state` of a coder in place before each call and takes it away
 * afterwards; octets are at `octetsAt`. Samples to be coded go to `samplesAt`, behind those that came before; decoded ones come
 * out at `historyAt`. What the compiler places, 1 KiB of tables, is behind 2048.
 */
export const stateAt: usize = 256;
export const octetsAt: usize = 4096;
/** In one call; two samples each. */
export const mostOctets: usize = 4096;
export const historyAt: usize = octetsAt + mostOctets;
/** The filter bank looks back on 22 samples. */
export const historyBytes: usize = 44;
export const samplesAt: usize = historyAt + historyBytes;
