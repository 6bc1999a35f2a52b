/**
 * Nodes that differ, for a class of pods, only in what they score by themselves: the same raw scores to normalise and
 * the same topology domains (or counts in them). Within it nodes are in buckets by that score.
 */
export class NodeGroup {
  readonly key: string;
  /** Raw scores that are normalised over all feasible nodes, one per scoring part. */
  readonly raws: readonly number[];
  /** Per input: the node's domain, -1 without the key. */
  readonly domains: Int32Array;
  /** Per input: the count, where it is part of the key; NaN where it is looked up by domain. */
  readonly counts: Float64Array;
  size = 0;
  /** The verdict of topology filters, and for which round it was found. */
  code = 0;
  round = -1;
  readonly #buckets: (number[] | undefined)[] = [];
  #top = 0;

  constructor(key: string, raws: readonly number[], domains: Int32Array, counts: Float64Array) {
    this.key = key;
    this.raws = raws;
    this.domains = domains;
    this.counts = counts;
  }

  /** Gives the node's position in its bucket. */
  add(slot: number, score: number): number {
    const bucket = this.#buckets[score];
    this.size++;
    if (score > this.#top || this.size === 1) this.#top = score;
    if (bucket !== undefined) return bucket.push(slot) - 1;
    this.#buckets[score] = [slot];
    return 0;
  }

  /** Takes the node out of its bucket; another node may move to its position, which is given back, else -1. */
  remove(score: number, position: number): number {
    const bucket = this.#buckets[score];
    const last = bucket?.pop();
    this.size--;
    if (bucket === undefined || last === undefined || position === bucket.length) return -1;
    bucket[position] = last;
    return last;
  }

  /** The nodes with the highest score. Only while `size` is above 0. */
  best(): { readonly score: number; readonly slots: readonly number[] } {
    let bucket = this.#buckets[this.#top];
    while (bucket === undefined || bucket.length === 0) bucket = this.#buckets[--this.#top];
    return { score: this.#top, slots: bucket };
  }

  *slots(): Generator<number> {
    for (const bucket of this.#buckets) if (bucket !== undefined) yield* bucket;
  }
}
