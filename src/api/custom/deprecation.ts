import type { Definition, DefinitionVersion } from "./describe.js";

const stages: readonly (string | undefined)[] = ["alpha", "beta", undefined];

/** What every request for a deprecated version is told; undefined for versions that are not. */
export function deprecationOf(definition: Definition, version: DefinitionVersion): string | undefined {
  if (version.deprecated !== true) return undefined;
  if (version.deprecationWarning !== undefined) return version.deprecationWarning;
  const { group = "", names, versions = [] } = definition.spec ?? {};
  const kind = names?.kind ?? "";
  const name = version.name ?? "";
  const [newest] = versions
    .filter((other) => other.served === true && other.deprecated !== true && isNewer(other.name ?? "", name))
    .map((other) => other.name ?? "")
    .sort((a, b) => (isNewer(a, b) ? -1 : 1));
  const use = newest === undefined ? "" : `; use ${group}/${newest} ${kind}`;
  return `${group}/${name} ${kind} is deprecated${use}`;
}

/** v2 over v1 over v1beta1 over v1alpha1 over what is no such version. */
function isNewer(a: string, b: string): boolean {
  const left = rank(a);
  const right = rank(b);
  for (const [index, value] of left.entries()) {
    const other = right[index] ?? 0;
    if (value !== other) return value > other;
  }
  return false;
}

function rank(name: string): readonly number[] {
  const match = /^v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?$/.exec(name);
  if (match === null) return [-1, 0, 0];
  const [, major, stage, minor = "0"] = match;
  return [stages.indexOf(stage), Number(major), Number(minor)];
}
