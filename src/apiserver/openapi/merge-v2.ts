import { isJsonObject, jsonEqual } from "../../api/json-value.js";
import type { RemoteDocument } from "./remote.js";
import type { Fragment } from "./types.js";

/** Where a Swagger document has what it refers to. */
const sections = ["definitions", "parameters", "responses"] as const;
type Section = (typeof sections)[number];

const reference = /^#\/(definitions|parameters|responses)\/(.+)$/;

/**
 * Adds to a document what other servers say of their own paths, with what those refer to. A name that means something else here already
 * gets a number (`NAME_v2`), as upstream does it. What another server says of paths that are not its own is left out.
 */
export function mergeDocuments(own: Fragment, remotes: readonly RemoteDocument[]): Fragment {
  return remotes.reduce(mergeDocument, own);
}

function mergeDocument(merged: Fragment, { prefix, document }: RemoteDocument): Fragment {
  const known = fragmentAt(merged, "paths");
  const paths = Object.entries(fragmentAt(document, "paths")).filter(
    ([path]) => path.startsWith(prefix) && !Object.hasOwn(known, path),
  );
  if (paths.length === 0) return merged;
  const names = new Names(merged);
  for (const [section, name] of reachable(document, paths))
    names.add(section, name, fragmentAt(document, section)[name]);
  const added = Object.fromEntries(paths.map(([path, item]) => [path, names.rewrite(item)]));
  return { ...merged, ...names.sections(), paths: sorted({ ...known, ...added }) };
}

function sorted(fragment: Fragment): Fragment {
  return Object.fromEntries(Object.entries(fragment).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What is referred to, directly or not. */
function reachable(document: Fragment, from: unknown): readonly (readonly [Section, string])[] {
  const found = new Map<string, readonly [Section, string]>();
  const open: unknown[] = [from];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    for (const text of referencesIn(value)) {
      const place = placeOf(text);
      if (place === undefined || found.has(text)) continue;
      const [section, name] = place;
      const values = fragmentAt(document, section);
      if (!Object.hasOwn(values, name)) continue;
      found.set(text, place);
      open.push(values[name]);
    }
  }
  return [...found.values()];
}

function placeOf(text: string): readonly [Section, string] | undefined {
  const [, section, name] = reference.exec(text) ?? [];
  const known = sections.find((candidate) => candidate === section);
  return known === undefined || name === undefined
    ? undefined
    : [known, name.replaceAll("~1", "/").replaceAll("~0", "~")];
}

function* referencesIn(value: unknown): Generator<string> {
  if (Array.isArray(value)) for (const item of value) yield* referencesIn(item);
  if (!isJsonObject(value)) return;
  for (const [key, inner] of Object.entries(value)) {
    if (key === "$ref" && typeof inner === "string") yield inner;
    else yield* referencesIn(inner);
  }
}

/** What two documents call the same without meaning it. */
class Names {
  readonly #here: Record<Section, Fragment>;
  readonly #renamed = new Map<string, string>();
  readonly #added: { readonly section: Section; readonly name: string; readonly value: unknown }[] = [];

  constructor(merged: Fragment) {
    const at = (section: Section): Fragment => fragmentAt(merged, section);
    this.#here = { definitions: at("definitions"), parameters: at("parameters"), responses: at("responses") };
  }

  add(section: Section, name: string, value: unknown): void {
    const free = this.#nameFor(section, name, value);
    if (free !== name) this.#renamed.set(`#/${section}/${name}`, `#/${section}/${free}`);
    if (!Object.hasOwn(this.#here[section], free)) this.#added.push({ section, name: free, value });
  }

  #nameFor(section: Section, name: string, value: unknown): string {
    const here = this.#here[section];
    for (let number = 1; ; number++) {
      const candidate = number === 1 ? name : `${name}_v${number}`;
      if (!Object.hasOwn(here, candidate) || jsonEqual(here[candidate], value)) return candidate;
    }
  }

  rewrite(value: unknown): unknown {
    if (this.#renamed.size === 0) return value;
    if (Array.isArray(value)) return value.map((item) => this.rewrite(item));
    if (!isJsonObject(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [
        key,
        key === "$ref" && typeof inner === "string" ? (this.#renamed.get(inner) ?? inner) : this.rewrite(inner),
      ]),
    );
  }

  sections(): Fragment {
    const result: { [section: string]: Fragment } = {};
    for (const section of sections) {
      const added = this.#added.filter((one) => one.section === section);
      if (added.length === 0) continue;
      const more = Object.fromEntries(added.map(({ name, value }) => [name, this.rewrite(value)]));
      result[section] = sorted({ ...this.#here[section], ...more });
    }
    return result;
  }
}

function fragmentAt(fragment: Fragment, key: string): Fragment {
  const value = fragment[key];
  return isJsonObject(value) ? value : {};
}
