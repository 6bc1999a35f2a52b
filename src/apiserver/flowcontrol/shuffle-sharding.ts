import { createHash } from "node:crypto";

/** More bits than this of a hash cannot be spread over hands evenly: upstream refuses such sizes. */
const maxHashBits = 60;

/** Whether hands of `handSize` out of `deckSize` cards can be dealt. */
export function canDeal(deckSize: number, handSize: number): boolean {
  return handSize > 0 && handSize <= deckSize && Math.log2(deckSize) * handSize <= maxHashBits;
}

/** The 64 bits that stand for a flow: of SHA-256 over its schema's name and its distinguisher, as upstream. */
export function flowHash(schema: string, distinguisher: string): bigint {
  return createHash("sha256").update(`${schema}\0${distinguisher}`).digest().readBigUInt64LE(0);
}

/**
 * Deals a hand of different cards, numbers from 0 up to `deckSize`. Each place of the mixed radix number that the hash is says which of the
 * cards that are left comes next, so that the same hash has the same hand on every server.
 */
export function dealHand(hash: bigint, deckSize: number, handSize: number): readonly number[] {
  const places: number[] = [];
  let rest = hash;
  for (let dealt = 0; dealt < handSize; dealt++) {
    const left = BigInt(deckSize - dealt);
    places.push(Number(rest % left));
    rest /= left;
  }
  return places.map((place, at) => {
    let card = place;
    // A place counts the cards that were left then: each one dealt before moves it on.
    for (let before = at - 1; before >= 0; before--) if (card >= (places[before] as number)) card++;
    return card;
  });
}
