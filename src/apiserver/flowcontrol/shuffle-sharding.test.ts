import { describe, expect, test } from "vitest";
import { canDeal, dealHand, flowHash } from "./shuffle-sharding.js";

describe("shuffle sharding", () => {
  test.each([
    { name: "upstream's default", deck: 64, hand: 8, can: true },
    { name: "60 bits", deck: 1024, hand: 6, can: true },
    { name: "more than 60 bits", deck: 1024, hand: 7, can: false },
    { name: "the whole deck", deck: 8, hand: 8, can: true },
    { name: "more than the deck", deck: 4, hand: 5, can: false },
    { name: "one queue", deck: 1, hand: 1, can: true },
    { name: "no hand", deck: 4, hand: 0, can: false },
  ])("$name", ({ deck, hand, can }) => {
    expect(canDeal(deck, hand)).toBe(can);
  });

  test.each([
    { name: "nothing", hash: 0n, deck: 4, hand: 3, cards: [0, 1, 2] },
    { name: "the first card only", hash: 3n, deck: 4, hand: 3, cards: [3, 0, 1] },
    { name: "the second place moves on past the first card", hash: 4n, deck: 4, hand: 2, cards: [0, 2] },
    { name: "places count down", hash: 4n * 3n - 1n, deck: 4, hand: 2, cards: [3, 2] },
    { name: "the third place passes both", hash: 0n + 4n * 0n + 12n * 1n, deck: 4, hand: 3, cards: [0, 1, 3] },
  ])("deals $name", ({ hash, deck, hand, cards }) => {
    expect(dealHand(hash, deck, hand)).toEqual(cards);
  });

  test("each hand comes up as often as any other", () => {
    const hands = new Set<string>();
    for (let hash = 0n; hash < 7n * 6n * 5n; hash++) {
      const hand = dealHand(hash, 7, 3);
      expect(new Set(hand).size).toBe(3);
      expect(hand.every((card) => card >= 0 && card < 7)).toBe(true);
      hands.add(hand.join());
    }
    expect(hands.size).toBe(7 * 6 * 5);
  });

  test("a flow's hash is the first 64 bits of SHA-256, the lowest byte first", () => {
    // printf 'global-default\0jane' | sha256sum begins with 189ba92a0b0fae5e.
    expect(flowHash("global-default", "jane")).toBe(0x5eae0f0b2aa99b18n);
  });
});
