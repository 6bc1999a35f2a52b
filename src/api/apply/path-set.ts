import { type FieldsV1, hasFields, type MutableFields } from "./fields-v1.js";

/**
 * Builds a set along a walk. The walker says at which path it is; the nodes of that path are remembered, so that an insertion costs
 * one step and not the way from the root. Elements have a prefix, so none can reach a prototype.
 */
export class PathSet {
  readonly #root: MutableFields = {};
  /** The nodes of the current path that exist: index 0 is the root. */
  readonly #nodes: MutableFields[] = [this.#root];

  get fields(): FieldsV1 {
    return this.#root;
  }

  /** Adds the path of the first `depth` elements. */
  insert(path: readonly string[], depth: number): void {
    const nodes = this.#nodes;
    if (nodes.length > depth) {
      // The node is there because of what is below it.
      const node = nodes[depth];
      if (node !== undefined && depth > 0 && hasFields(node)) node["."] ??= {};
      return;
    }
    this.#reach(path, depth);
  }

  /** Adds a path with all that is below it. The walker does not go there. */
  graft(path: readonly string[], depth: number, below: FieldsV1): void {
    this.#reach(path, depth - 1);
    const parent = this.#nodes[depth - 1];
    if (parent !== undefined) parent[path[depth - 1] ?? ""] = below as MutableFields;
  }

  /** The walker goes on to a sibling below the first `depth` elements. */
  leave(depth: number): void {
    if (this.#nodes.length > depth + 1) this.#nodes.length = depth + 1;
  }

  /** Makes the nodes down to the path of the first `depth` elements. */
  #reach(path: readonly string[], depth: number): void {
    const nodes = this.#nodes;
    for (let index = nodes.length - 1; index < depth; index++) {
      const element = path[index] ?? "";
      const parent = nodes[index];
      if (parent === undefined) return;
      let child = parent[element];
      if (child === undefined) {
        child = {};
        parent[element] = child;
      }
      nodes.push(child);
    }
  }
}
