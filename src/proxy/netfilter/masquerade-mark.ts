/** `0x4000`: a single bit of a packet's mark. */
export type MasqueradeMark = `0x${string}`;
