import { EventEmitter } from "eventemitter3";
import type { ResourceDescription } from "../api/index.js";

/** The resources that a server serves now. Built-in ones are there from the start; custom ones come and go. */
export class ResourceTable {
  /** Grows with every change: what discovery and OpenAPI documents are kept by. */
  generation = 0;
  readonly #byId = new Map<string, ResourceDescription>();
  readonly #events = new EventEmitter<{ changed: [] }>();

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
    this.#events.on("changed", listener);
    return () => {
      this.#events.off("changed", listener);
    };
  }

  #changed(): void {
    this.generation++;
    this.#events.emit("changed");
  }
}

function idOf(description: ResourceDescription): string {
  return `${description.group}/${description.version}/${description.resource}`;
}
