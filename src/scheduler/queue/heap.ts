/** What a heap keeps of its items, to find them again. */
export interface Heaped {
  /** Position in the heap it is in; -1 in none. */
  position: number;
}

/** A binary heap whose items know where they are, so that any of them can be removed. */
export class Heap<T extends Heaped> {
  readonly #items: T[] = [];
  readonly #before: (a: T, b: T) => boolean;

  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before;
  }

  get size(): number {
    return this.#items.length;
  }

  peek(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    item.position = this.#items.push(item) - 1;
    this.#rise(item);
  }

  pop(): T | undefined {
    const first = this.#items[0];
    if (first !== undefined) this.remove(first);
    return first;
  }

  remove(item: T): void {
    const { position } = item;
    if (this.#items[position] !== item) return;
    item.position = -1;
    const last = this.#items.pop();
    if (last === undefined || last === item) return;
    this.#put(last, position);
    this.#rise(last);
    this.#sink(last);
  }

  items(): readonly T[] {
    return this.#items;
  }

  #rise(item: T): void {
    while (item.position > 0) {
      const above = this.#items[(item.position - 1) >> 1];
      if (above === undefined || !this.#before(item, above)) return;
      const { position } = above;
      this.#put(above, item.position);
      this.#put(item, position);
    }
  }

  #sink(item: T): void {
    for (;;) {
      const left = 2 * item.position + 1;
      const [a, b] = [this.#items[left], this.#items[left + 1]];
      if (a === undefined) return;
      const child = b !== undefined && this.#before(b, a) ? b : a;
      if (!this.#before(child, item)) return;
      const { position } = child;
      this.#put(child, item.position);
      this.#put(item, position);
    }
  }

  #put(item: T, position: number): void {
    this.#items[position] = item;
    item.position = position;
  }
}
