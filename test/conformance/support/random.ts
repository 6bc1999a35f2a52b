import { expect } from "vitest";

/** Random choices that a seed decides, so that what failed can be done again. */
export class Choices {
  readonly seed: number;
  #state: number;

  constructor(seed: number) {
    this.seed = seed;
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 to below `bound`. */
  below(bound: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * bound);
  }

  chance(oneIn: number): boolean {
    return this.below(oneIn) === 0;
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }

  /** Some of them, in any order. */
  some<T>(choices: readonly T[]): T[] {
    const left = [...choices];
    const taken: T[] = [];
    for (let count = this.below(choices.length + 1); count > 0; count--) {
      taken.push(...left.splice(this.below(left.length), 1));
    }
    return taken;
  }
}

/** Runs a law for many seeds. A failure says of which, and `seeds` set to that one alone repeats it. */
export async function forSeeds(first: number, count: number, law: (choices: Choices) => Promise<void>): Promise<void> {
  for (let seed = first; seed < first + count; seed++) {
    try {
      await law(new Choices(seed));
    } catch (error) {
      expect.fail(`seed ${seed}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
  }
}
