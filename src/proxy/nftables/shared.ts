interface Entry<T> {
  value: T;
  users: number;
}

/** Named things that several services use, and which of them came, went or changed. What has one name has one value, or one user. */
export class Shared<T extends string | readonly string[]> {
  readonly #entries = new Map<string, Entry<T>>();
  /** As it was at the last `settle`, of names that were touched since. */
  readonly #before = new Map<string, T | undefined>();

  *all(): Generator<readonly [string, T]> {
    for (const [name, { value, users }] of this.#entries) if (users > 0) yield [name, value];
  }

  /** Replaces what one service uses. */
  replace(old: ReadonlyMap<string, T>, next: ReadonlyMap<string, T>): void {
    for (const [name, value] of next) {
      const entry = this.#touch(name, value);
      entry.value = value;
      if (!old.has(name)) entry.users++;
    }
    for (const [name, value] of old) if (!next.has(name)) this.#touch(name, value).users--;
  }

  /** What changed since the last time. */
  settle(): { readonly added: [string, T][]; readonly changed: [string, T][]; readonly removed: [string, T][] } {
    const result = { added: [] as [string, T][], changed: [] as [string, T][], removed: [] as [string, T][] };
    for (const [name, was] of this.#before) {
      const entry = this.#entries.get(name);
      const is = entry !== undefined && entry.users > 0 ? entry.value : undefined;
      if (is === undefined) this.#entries.delete(name);
      if (was === undefined && is !== undefined) result.added.push([name, is]);
      else if (was !== undefined && is === undefined) result.removed.push([name, was]);
      else if (was !== undefined && is !== undefined && !same(was, is)) result.changed.push([name, is]);
    }
    this.#before.clear();
    return result;
  }

  #touch(name: string, value: T): Entry<T> {
    const entry = this.#entries.get(name) ?? { value, users: 0 };
    this.#entries.set(name, entry);
    if (!this.#before.has(name)) this.#before.set(name, entry.users > 0 ? entry.value : undefined);
    return entry;
  }
}

function same(a: string | readonly string[], b: string | readonly string[]): boolean {
  if (typeof a === "string" || typeof b === "string") return a === b;
  return a.length === b.length && a.every((rule, index) => rule === b[index]);
}
