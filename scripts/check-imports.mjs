// Who may import whom, and no cycles: the dependency rules of docs/architecture.md, checked.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const allowed = {
  api: [],
  internal: [],
  store: ["internal"],
  apiserver: ["api", "store", "internal"],
  client: ["api", "internal"],
  scheduler: ["api", "client", "internal"],
  controllers: ["api", "client", "internal"],
  proxy: ["api", "client", "internal"],
  runtime: ["api", "internal"],
  node: ["api", "client", "runtime", "internal"],
};

const files = readdirSync("src", { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
  .map((entry) => join(entry.parentPath, entry.name));
const graph = new Map();
const problems = [];

for (const file of files) {
  const from = relative("src", file).split("/");
  const test = file.endsWith(".test.ts");
  const targets = [];
  for (const [, typeOnly, specifier] of readFileSync(file, "utf8").matchAll(
    /^\s*(?:import|export)\s+(type\s+)?(?:[^'"]*?\sfrom\s+)?["'](\.[^"']+)["']/gm,
  )) {
    const target = join(dirname(file), specifier).replace(/\.js$/, ".ts");
    if (typeOnly === undefined) targets.push(target);
    const to = relative("src", target).split("/");
    const rule = allowed[from[0]];
    if (test || from.length === 1 || rule === undefined || to[0] === from[0]) continue;
    if (!rule.includes(to[0])) problems.push(`${file}: ${from[0]} must not import ${to[0]} (${specifier})`);
  }
  graph.set(file, targets);
}

const state = new Map();
function visit(file, trail) {
  if (state.get(file) === "done") return;
  if (state.get(file) === "open") {
    problems.push(`cycle: ${[...trail.slice(trail.indexOf(file)), file].join(" -> ")}`);
    return;
  }
  state.set(file, "open");
  for (const target of graph.get(file) ?? []) visit(target, [...trail, file]);
  state.set(file, "done");
}
for (const file of graph.keys()) visit(file, []);

for (const problem of problems) console.error(problem);
process.exit(problems.length > 0 ? 1 : 0);
