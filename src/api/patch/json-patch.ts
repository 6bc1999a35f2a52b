import { exceedsDepth, isJsonObject, jsonEqual, type MutableJsonObject, maxDepth, setOwn } from "../json-value.js";
import { PatchError } from "./patch-error.js";

export const jsonPatchLimits: { readonly operations: number; readonly copiedBytes: number; readonly work: number } = {
  operations: 10_000,
  /** The sum of the sizes of everything that `copy` operations copy. */
  copiedBytes: 3 * 1024 * 1024,
  /** Items and fields that are looked at or moved, in all: what a few operations on long lists can run up. */
  work: 50_000_000,
};

type Container = unknown[] | MutableJsonObject;

/**
 * RFC 6902. The document is not changed; the result shares with it what no operation touched, and is the document itself when
 * none changed anything. Throws PatchError: operations are all done or none is.
 */
export function applyJsonPatch(document: unknown, operations: unknown): unknown {
  if (!Array.isArray(operations)) {
    throw new PatchError("malformed", "json: cannot unmarshal object into Go value of type jsonpatch.Patch");
  }
  if (operations.length > jsonPatchLimits.operations) {
    throw new PatchError(
      "tooManyOperations",
      `The allowed maximum operations in a JSON patch is ${jsonPatchLimits.operations}, got ${operations.length}`,
    );
  }
  const patching = new JsonPatching(document);
  for (const operation of operations) patching.apply(operation);
  if (patching.root !== document && exceedsDepth(patching.root)) {
    throw unprocessable(`the result may not nest deeper than ${maxDepth}`);
  }
  return patching.root;
}

/**
 * One patch in progress. Containers that this patch made are its own and are changed in place; all others are copied
 * first. A copied subtree is in two places, so nothing is owned after a copy.
 */
class JsonPatching {
  root: unknown;
  #owned = new Set<Container>();
  #copiedBytes = 0;
  #work = 0;

  constructor(document: unknown) {
    this.root = document;
  }

  apply(operation: unknown): void {
    if (!isJsonObject(operation)) throw new PatchError("malformed", "a JSON patch operation must be an object");
    const path = pointerOf(operation, "path");
    switch (operation.op) {
      case "add":
        this.#add(path, operandOf(operation));
        return;
      case "remove":
        this.#remove(path);
        return;
      case "replace":
        this.#replace(path, operandOf(operation));
        return;
      case "move": {
        const from = pointerOf(operation, "from");
        if (isProperPrefix(from, path)) throw unprocessable("a value cannot be moved into itself");
        const value = this.#get(from);
        if (from.length === path.length && isPrefix(from, path)) return;
        this.#limitDepth(value, maxDepth - path.length);
        this.#remove(from);
        this.#add(path, value);
        return;
      }
      case "copy": {
        const value = this.#get(pointerOf(operation, "from"));
        this.#limitDepth(value, maxDepth - path.length);
        this.#countCopy(value);
        this.#owned.clear();
        this.#add(path, value);
        return;
      }
      case "test":
        if (!jsonEqual(this.#find(path) ?? null, operation.value ?? null)) {
          throw unprocessable(`testing value ${textOf(path)} failed: test failed`);
        }
        return;
      default:
        throw unprocessable(`Unexpected kind: ${String(operation.op)}`);
    }
  }

  #spend(work: number): void {
    this.#work += work;
    if (this.#work > jsonPatchLimits.work) throw unprocessable("the operations take too much work on this object");
  }

  /** Operations could otherwise nest what they moved before ever deeper. */
  #limitDepth(value: unknown, max: number): void {
    if (typeof value !== "object" || value === null) return;
    if (max <= 0) throw unprocessable(`the result may not nest deeper than ${maxDepth}`);
    const children = Array.isArray(value) ? value : Object.values(value);
    this.#spend(children.length + 1);
    for (const child of children) this.#limitDepth(child, max - 1);
  }

  #countCopy(value: unknown): void {
    this.#copiedBytes += JSON.stringify(value)?.length ?? 0;
    if (this.#copiedBytes > jsonPatchLimits.copiedBytes) {
      throw unprocessable(
        `Unable to complete the copy, the accumulated size increase of copy operations (${this.#copiedBytes}) exceeds the limit ${jsonPatchLimits.copiedBytes}`,
      );
    }
  }

  /** Undefined when there is no such value; a missing parent throws. */
  #find(path: readonly string[]): unknown {
    let value = this.root;
    for (const [depth, token] of path.entries()) {
      if (Array.isArray(value)) value = value[existingIndex(value, token, path)];
      else if (isJsonObject(value) && Object.hasOwn(value, token)) value = value[token];
      else if (isJsonObject(value) && depth === path.length - 1) return undefined;
      else throw missing(path);
    }
    return value;
  }

  #get(path: readonly string[]): unknown {
    const value = this.#find(path);
    if (value === undefined) throw missing(path);
    return value;
  }

  /** The container of the last token, made the patch's own along with all above it. */
  #ownParent(path: readonly string[]): Container {
    let container = this.#own(this.root, path);
    this.root = container;
    for (const token of path.slice(0, -1)) {
      if (Array.isArray(container)) {
        const index = existingIndex(container, token, path);
        const child: Container = this.#own(container[index], path);
        container[index] = child;
        container = child;
      } else {
        if (!Object.hasOwn(container, token)) throw missing(path);
        const child: Container = this.#own(container[token], path);
        setOwn(container, token, child);
        container = child;
      }
    }
    return container;
  }

  #own(value: unknown, path: readonly string[]): Container {
    if (typeof value !== "object" || value === null) throw missing(path);
    const container = value as Container;
    if (this.#owned.has(container)) return container;
    this.#spend(Array.isArray(container) ? container.length : 20 * Object.keys(container).length);
    const copy: Container = Array.isArray(container) ? [...container] : { ...container };
    this.#owned.add(copy);
    return copy;
  }

  #add(path: readonly string[], value: unknown): void {
    const last = path.at(-1);
    if (last === undefined) {
      this.root = value;
      return;
    }
    if (isJsonObject(this.#find(path.slice(0, -1))) && jsonEqual(this.#find(path), value)) return;
    const parent = this.#ownParent(path);
    if (!Array.isArray(parent)) setOwn(parent, last, value);
    else if (last === "-") parent.push(value);
    else {
      this.#spend(parent.length);
      parent.splice(indexOf(last, parent.length, path), 0, value);
    }
  }

  #replace(path: readonly string[], value: unknown): void {
    const current = this.#get(path);
    if (jsonEqual(current, value)) return;
    const last = path.at(-1);
    if (last === undefined) {
      this.root = value;
      return;
    }
    const parent = this.#ownParent(path);
    if (Array.isArray(parent)) parent[existingIndex(parent, last, path)] = value;
    else setOwn(parent, last, value);
  }

  #remove(path: readonly string[]): void {
    const last = path.at(-1);
    if (last === undefined) throw unprocessable("Unable to remove the whole document");
    const parent = this.#ownParent(path);
    if (Array.isArray(parent)) {
      this.#spend(parent.length);
      parent.splice(existingIndex(parent, last, path), 1);
    } else if (Object.hasOwn(parent, last)) delete parent[last];
    else throw missing(path);
  }
}

function operandOf(operation: { readonly [key: string]: unknown }): unknown {
  if (!Object.hasOwn(operation, "value")) throw unprocessable("the operation has no value: missing value");
  return operation.value;
}

function pointerOf(operation: { readonly [key: string]: unknown }, field: "path" | "from"): readonly string[] {
  const pointer = Object.hasOwn(operation, field) ? operation[field] : undefined;
  if (typeof pointer !== "string") throw unprocessable(`operation missing ${field} field: missing value`);
  if (pointer === "") return [];
  if (!pointer.startsWith("/")) throw unprocessable(`${JSON.stringify(pointer)} is no JSON pointer`);
  const tokens = pointer.slice(1).split("/");
  if (tokens.length > maxDepth) throw unprocessable(`a path may not be deeper than ${maxDepth}`);
  return tokens.map((token) => (token.includes("~") ? token.replaceAll("~1", "/").replaceAll("~0", "~") : token));
}

function existingIndex(list: readonly unknown[], token: string, path: readonly string[]): number {
  return indexOf(token, list.length - 1, path);
}

function indexOf(token: string, max: number, path: readonly string[]): number {
  const index = /^(0|[1-9][0-9]{0,9})$/.test(token) ? Number(token) : -1;
  if (index < 0 || index > max) throw unprocessable(`Unable to access invalid index: ${token} in ${textOf(path)}`);
  return index;
}

function isPrefix(prefix: readonly string[], path: readonly string[]): boolean {
  return prefix.every((token, index) => token === path[index]);
}

function isProperPrefix(prefix: readonly string[], path: readonly string[]): boolean {
  return prefix.length < path.length && isPrefix(prefix, path);
}

function textOf(path: readonly string[]): string {
  return path.map((token) => `/${token.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

function missing(path: readonly string[]): PatchError {
  return unprocessable(`doc is missing key: ${textOf(path)}: missing value`);
}

function unprocessable(message: string): PatchError {
  return new PatchError("unprocessable", message);
}
