import type { ResourceDescription } from "../api/index.js";

/** The resources that a server serves now. Built-in ones are there from the start; custom ones come and go. */
export class ResourceTable {
  /** Grows with every change: what discovery and OpenAPI documents are kept by. */
  generation = 0;
  readonly #byId = new Map<string, ResourceDescription>();
  readonly #listeners = new Set<() => void>();

  constructor(descriptions: Iterable<ResourceDescription>) {
    for (const description of descriptions) this.#byId.set(idOf(description), description);
  }

  lookup(group: string, version: string, resource: string): ResourceDescription | undefined {
    return this.#byId.get(`${group}/${version}/${resource}`);
  }

  all(): readonly ResourceDescription[] {
    return [...this.#byId.values()];
  }

  add(description: ResourceDescription): void {
    this.#byId.set(idOf(description), description);
    this.#changed();
  }

  remove(description: ResourceDescription): void {
    if (this.#byId.delete(idOf(description))) this.#changed();
  }

  /** Calls back after every change; gives the function that stops it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #changed(): void {
    this.generation++;
    for (const listener of this.#listeners) listener();
  }
}

function idOf(description: ResourceDescription): string {
  return `${description.group}/${description.version}/${description.resource}`;
}
