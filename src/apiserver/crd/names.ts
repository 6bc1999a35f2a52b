import type { Definition } from "../../api/custom/describe.js";
import type { CustomResourceDefinitionNames } from "../../api/index.js";

export type Names = {
  -readonly [K in keyof CustomResourceDefinitionNames]?: CustomResourceDefinitionNames[K] | undefined;
};

export interface NamesVerdict {
  /** What may be used: of those that are asked for, the ones nobody else has; else those that were accepted before. */
  readonly accepted: Names;
  /** The last of the conflicts, which is the one that upstream shows; undefined when there is none. */
  readonly conflict: { readonly reason: string; readonly message: string } | undefined;
}

/** Judges the names of a definition by those that the others of its group have been given. */
export function judgeNames(definition: Definition, others: readonly Definition[]): NamesVerdict {
  const resources = new Set<string>();
  const kinds = new Set<string>();
  for (const other of others) {
    const names = other.status?.acceptedNames;
    for (const name of [names?.plural, names?.singular, ...(names?.shortNames ?? [])]) if (name) resources.add(name);
    for (const name of [names?.kind, names?.listKind]) if (name) kinds.add(name);
  }
  const wanted = definition.spec?.names ?? {};
  const before = definition.status?.acceptedNames ?? {};
  const accepted: Names = { ...before, categories: wanted.categories };
  const conflicts: { reason: string; message: string }[] = [];
  const judge = (field: "plural" | "singular" | "kind" | "listKind", taken: ReadonlySet<string>): void => {
    const name = wanted[field] ?? "";
    if (name !== "" && taken.has(name)) {
      conflicts.push({ reason: `${capital(field)}Conflict`, message: `${JSON.stringify(name)} is already in use` });
    } else accepted[field] = name;
  };
  judge("plural", resources);
  judge("singular", resources);
  const shortConflicts = (wanted.shortNames ?? []).filter((name) => resources.has(name));
  if (shortConflicts.length > 0) {
    const message = shortConflicts.map((name) => `${JSON.stringify(name)} is already in use`).join(", ");
    conflicts.push({ reason: "ShortNamesConflict", message });
  } else accepted.shortNames = wanted.shortNames;
  judge("kind", kinds);
  judge("listKind", kinds);
  return { accepted: withoutUndefined(accepted), conflict: conflicts.at(-1) };
}

function capital(field: string): string {
  return field.slice(0, 1).toUpperCase() + field.slice(1);
}

function withoutUndefined(names: Names): Names {
  return Object.fromEntries(Object.entries(names).filter(([, value]) => value !== undefined));
}
