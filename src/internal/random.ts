/** The only source of chance, so that a run can be replayed from its seed. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
}

export const systemRandom: Random = { next: () => Math.random() };

/** A small generator (mulberry32) for tests and simulations: same seed, same sequence. Not for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    next() {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = state;
      mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    },
  };
}

/** An integer in [0, bound). */
export function randomInt(random: Random, bound: number): number {
  return Math.floor(random.next() * bound);
}

// Without vowels and look-alikes, so that generated names spell nothing and read well.
const alphabet = "bcdfghjklmnpqrstvwxz2456789";

/** `length` characters fit for a generated name's suffix. */
export function randomSuffix(random: Random, length = 5): string {
  let suffix = "";
  for (let count = 0; count < length; count++) suffix += alphabet[randomInt(random, alphabet.length)];
  return suffix;
}
