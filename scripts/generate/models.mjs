import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The models of the package: their fields with types, which are required, and their documentation. */
export function readModels(folder, packages) {
  const byName = new Map();
  for (const file of readdirSync(folder)) {
    if (!file.endsWith(".d.ts")) continue;
    const name = file.slice(0, -".d.ts".length);
    const map = /attributeTypeMap = (\[[\s\S]*?\n\]);/.exec(readFileSync(join(folder, `${name}.js`), "utf8"));
    if (map === null) continue;
    const { description, docs, required } = readDeclaration(readFileSync(join(folder, file), "utf8"));
    // Words of JavaScript have another name in the declaration.
    const fields = JSON.parse(map[1]).map(({ name: declared, baseName, type, format }) => ({
      name: baseName,
      type,
      format,
      required: required.has(declared),
      doc: docs.get(declared) ?? "",
    }));
    byName.set(name, { name, description, fields });
  }
  return new Models(byName, packages);
}

function readDeclaration(text) {
  const description = cleanDoc(/\/\*\*\n((?:\* .*\n)+)\*\/\nexport declare class/.exec(text)?.[1] ?? "");
  const docs = new Map();
  const required = new Set();
  const field = /(?: {4}\/\*\*\n((?: {4}\*.*\n)*?) {4}\*\/\n)? {4}'([^']+)'(\??): /g;
  for (const [, doc, name, optional] of text.matchAll(field)) {
    docs.set(name, cleanDoc(doc ?? ""));
    if (optional === "") required.add(name);
  }
  return { description, docs, required };
}

function cleanDoc(text) {
  return text
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, ""))
    .join("\n")
    .trim()
    .replaceAll("\\'", "'")
    .replaceAll('\\"', '"')
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}

// Groups as they stand in front of a model's name where two groups have one of that name.
const groupPrefixes = {
  Admissionregistration: "admissionregistration",
  Apiextensions: "apiextensions",
  Apiregistration: "apiregistration",
  Authentication: "authentication",
  Core: "core",
  Discovery: "discovery",
  Events: "events",
  Flowcontrol: "flowcontrol",
  Rbac: "rbac",
  Resource: "resource",
  Storage: "storage",
};

// Where two groups have a model of one name, these groups' keep the plain TypeScript name.
const plainGroups = new Set(["Authentication", "Events", "Resource"]);

class Models {
  constructor(byName, packages) {
    this.byName = byName;
    this.packagesOf = new Map();
    for (const [pkg, names] of Object.entries(packages)) {
      for (const name of names.split(" ")) {
        const list = this.packagesOf.get(name) ?? [];
        list.push(pkg);
        this.packagesOf.set(name, list);
      }
    }
  }

  get(name) {
    return this.byName.get(name);
  }

  /** `V1PodSpec` -> { pkg: "core.v1", name: "PodSpec" } */
  definition(model) {
    const match = /^([A-Z][a-z]+)?V(\d+(?:(?:alpha|beta)\d+)?)([A-Z].*)$/.exec(model);
    if (match === null) throw new Error(`model ${model} has no version`);
    const [, group, version, name] = match;
    const candidates = (this.packagesOf.get(name) ?? []).filter((pkg) => pkg.endsWith(`.v${version}`));
    const chosen =
      group !== undefined && groupPrefixes[group] !== undefined
        ? candidates.filter((pkg) => pkg.startsWith(groupPrefixes[group]))
        : candidates;
    if (chosen.length === 1) return { pkg: chosen[0], name, version: `v${version}` };
    // A name that stands alone among the models belongs to the package that is not spoken for by a prefixed one.
    const free = chosen.filter((pkg) => {
      const prefix = Object.entries(groupPrefixes).find(([, value]) => pkg === `${value}.v${version}`)?.[0];
      return prefix === undefined || !this.byName.has(`${prefix}V${version}${name}`);
    });
    if (free.length === 1) return { pkg: free[0], name, version: `v${version}` };
    throw new Error(`model ${model}: its package is one of [${candidates}]; name it in packages.json`);
  }

  /** `core.v1.PodSpec` */
  id(model) {
    const { pkg, name } = this.definition(model);
    return `${pkg}.${name}`;
  }

  /** The model names that a field's type mentions. */
  references(type) {
    return [...type.matchAll(/[A-Z]\w*V\d\w+|V\d\w+/g)].map(([name]) => name).filter((name) => this.byName.has(name));
  }

  /** The TypeScript name: plain where it is unique, with the group or the older version where it is not. */
  typeName(model) {
    const { name, version } = this.definition(model);
    const prefix = /^([A-Z][a-z]+)V\d/.exec(model)?.[1];
    if (prefix !== undefined && groupPrefixes[prefix] !== undefined && !plainGroups.has(prefix))
      return `${prefix}${name}`;
    if (version === "v1" && this.byName.has(`V2${name}`)) return `${name}V1`;
    return name;
  }

  closure(roots) {
    const seen = new Set();
    const visit = (name) => {
      if (seen.has(name)) return;
      seen.add(name);
      for (const field of this.byName.get(name).fields) this.references(field.type).forEach(visit);
    };
    roots.forEach(visit);
    return [...seen].sort((a, b) => (this.id(a) < this.id(b) ? -1 : 1));
  }
}
