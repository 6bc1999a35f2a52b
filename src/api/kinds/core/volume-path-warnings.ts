import type { PodSpec, Volume, VolumeProjection } from "../../gen/types.js";
import type { Loose } from "../loose.js";

interface Item {
  readonly path?: string | undefined;
}

/** Files of one volume of which one hides another, or needs a folder where another is. */
export function volumePathWarnings(spec: Loose<PodSpec>): readonly string[] {
  return (spec.volumes ?? []).flatMap((volume) => {
    const { name = "", configMap, secret, downwardAPI, projected } = volume;
    const lists = [
      listOf(name, `ConfigMap ${quoted(configMap?.name)}`, configMap?.items),
      listOf(name, `Secret ${quoted(secret?.secretName)}`, secret?.items),
      listOf(name, "DownwardAPI", downwardAPI?.items),
    ];
    return [...lists.flatMap(overlaps), ...projectedWarnings(name, projected)];
  });
}

interface PathList {
  readonly what: string;
  readonly paths: readonly string[];
}

function listOf(volume: string, what: string, items: readonly Item[] = []): PathList {
  return { what: `volume ${quoted(volume)} (${what})`, paths: items.map(({ path = "" }) => path) };
}

function quoted(name = ""): string {
  return JSON.stringify(name);
}

/** Sources of one folder are compared with those before them too. */
function projectedWarnings(name: string, projected: Loose<Volume>["projected"]): readonly string[] {
  const warnings: string[] = [];
  const before = new Set<string>();
  for (const source of projected?.sources ?? []) {
    if (Object.keys(source).length === 0) {
      warnings.push(`volume ${quoted(name)} (Projected) has no sources provided`);
      continue;
    }
    const list = projectedList(name, source);
    if (list === undefined || list.paths.length === 0) continue;
    warnings.push(...overlaps(list));
    const unique = [...new Set(list.paths)];
    warnings.push(...overlaps({ what: list.what, paths: [...unique, ...before].sort() }));
    for (const path of unique) before.add(path);
  }
  return warnings;
}

function projectedList(name: string, source: Loose<VolumeProjection>): PathList | undefined {
  const { configMap, secret, downwardAPI, serviceAccountToken } = source;
  if (configMap?.items !== undefined) {
    return listOf(name, `Projected ConfigMap ${quoted(configMap.name)}`, configMap.items);
  }
  if (secret?.items !== undefined) return listOf(name, `Projected Secret ${quoted(secret.name)}`, secret.items);
  if (downwardAPI?.items !== undefined) return listOf(name, "Projected DownwardAPI", downwardAPI.items);
  return serviceAccountToken && listOf(name, "Projected ServiceAccountToken", [serviceAccountToken]);
}

function overlaps({ what, paths }: PathList): readonly string[] {
  const warnings: string[] = [];
  const seen = new Set<string>();
  for (const path of paths) {
    const file = path.replace(/\/+$/, "");
    const other = seen.has("") || file === "" ? undefined : [...seen].find((known) => overlap(known, file));
    if (other !== undefined) warnings.push(`${what}: overlapping paths: ${quoted(file)} with ${quoted(other)}`);
    seen.add(file);
  }
  return warnings;
}

/** Upstream takes what only begins alike for a folder and what is in it. */
function overlap(a: string, b: string): boolean {
  return `${a}/`.startsWith(b) || `${b}/`.startsWith(a);
}
