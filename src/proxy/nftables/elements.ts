import type { Element } from "./render.js";

/** Which elements which services want. Two may want the same, such as an endpoint's address, or an external IP that both claim: then one has it. */
export class Elements {
  readonly #wanted = new Map<string, Map<string, Element>>();

  /** What is there in the end, of all. */
  *all(): Generator<Element> {
    for (const owners of this.#wanted.values()) {
      const element = chosen(owners);
      if (element !== undefined) yield element;
    }
  }

  /** Replaces what one service wants. `before` is told, for each element that it touches first, what was there. */
  replace(
    owner: string,
    old: readonly Element[],
    next: readonly Element[],
    before: Map<string, Element | undefined>,
  ): void {
    for (const element of old) this.#touch(element, before)?.delete(owner);
    for (const element of next) {
      const id = idOf(element);
      const owners = this.#touch(element, before) ?? new Map<string, Element>();
      owners.set(owner, element);
      this.#wanted.set(id, owners);
    }
  }

  /** What has to be removed and added, after `replace` was told of all changes. */
  differences(before: ReadonlyMap<string, Element | undefined>): {
    readonly removed: readonly Element[];
    readonly added: readonly Element[];
  } {
    const removed: Element[] = [];
    const added: Element[] = [];
    for (const [id, was] of before) {
      const owners = this.#wanted.get(id);
      const is = owners === undefined ? undefined : chosen(owners);
      if (owners?.size === 0) this.#wanted.delete(id);
      if (was?.value === is?.value && (was === undefined) === (is === undefined)) continue;
      if (was !== undefined) removed.push(was);
      if (is !== undefined) added.push(is);
    }
    return { removed, added };
  }

  #touch(element: Element, before: Map<string, Element | undefined>): Map<string, Element> | undefined {
    const id = idOf(element);
    const owners = this.#wanted.get(id);
    if (!before.has(id)) before.set(id, owners === undefined ? undefined : chosen(owners));
    return owners;
  }
}

function idOf({ set, key }: Element): string {
  return `${set} ${key}`;
}

/** The same one whatever the order in which they came. */
function chosen(owners: ReadonlyMap<string, Element>): Element | undefined {
  let least: string | undefined;
  for (const owner of owners.keys()) if (least === undefined || owner < least) least = owner;
  return least === undefined ? undefined : owners.get(least);
}
