import { builtinSchema, builtinSchemaIds, openApiName, type Schema } from "../../api/index.js";
import type { Docs } from "./types.js";

/** Finds built-in definitions and their documentation by the names that OpenAPI gives them. */
export class DefinitionIndex {
  readonly #ids: ReadonlyMap<string, string>;
  readonly #docs: Docs;

  constructor(docs: Docs) {
    this.#ids = new Map(builtinSchemaIds().map((id) => [openApiName(id), id]));
    this.#docs = docs;
  }

  schema(name: string): Schema | undefined {
    const id = this.#ids.get(name);
    return id === undefined ? undefined : builtinSchema(id);
  }

  /** The list of a built-in kind. */
  list(name: string): Schema | undefined {
    return this.schema(`${name}List`);
  }

  /** A kind of another group that a subresource takes, such as autoscaling/v1 Scale; undefined for mere parameters. */
  kind(group: string, version: string, kind: string): Schema | undefined {
    const prefix = group === "" ? "core" : (group.split(".")[0] ?? "");
    return this.schema(openApiName(`${prefix}.${version}.${kind}`));
  }

  /** Of a field, or of the definition itself when `field` is empty. */
  documentation(name: string, field: string): string | undefined {
    const id = this.#ids.get(name);
    const docs = id !== undefined && Object.hasOwn(this.#docs, id) ? this.#docs[id] : undefined;
    return docs !== undefined && Object.hasOwn(docs, field) ? docs[field] : undefined;
  }
}
