/**
 * Where things stand in the module's memory. The host puts packets at `sealAt` and `openAt`, keys at `keyAt`, and puts the `state`
 * of a session in place before each call; only the first page's beginning is ours.
 */
export const sBoxAt: usize = 0;
/** Of the session that is worked with: eleven round keys, the salt, and SHA-1 after one block of the padded key, inner and outer. */
export const stateAt: usize = 256;
export const roundKeysAt: usize = stateAt;
export const saltAt: usize = roundKeysAt + 176;
export const innerAt: usize = saltAt + 16;
export const outerAt: usize = innerAt + 20;
export const stateBytes: usize = 232;
/** 64 bytes. */
export const keyAt: usize = 512;
/** The sixteen words that SHA-1's schedule looks back on. */
export const scheduleAt: usize = 576;
export const hashAt: usize = 640;
/** The last one or two blocks of what is hashed. */
export const tailAt: usize = 704;
export const lastBlockAt: usize = 832;
/** The tag that a packet came with. */
export const tagAt: usize = 848;
/** Each with room for the longest datagram there is, and for what SRTP adds. */
export const sealAt: usize = 4096;
export const openAt: usize = sealAt + 0x1_1000;
