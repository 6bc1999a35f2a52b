// Makes src/api/gen/ from the type facts of @kubernetes/client-node and the overlays beside this script:
// TypeScript types, the schema table, the list of resources, the field numbers of protobuf, and the field documentation for OpenAPI.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readModels } from "./generate/models.mjs";
import { renderProtobuf } from "./generate/protobuf.mjs";
import { renderDocs, renderResources, renderSchemas, renderTypes } from "./generate/render.mjs";
import { readResources } from "./generate/resources.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..");
const source = join(root, "node_modules/@kubernetes/client-node");
const out = join(root, "src/api/gen");

const inputs = [
  join(source, "package.json"),
  fileURLToPath(import.meta.url),
  ...[
    "models.mjs",
    "resources.mjs",
    "render.mjs",
    "protobuf.mjs",
    "protobuf-fields.json",
    "packages.json",
    "merge-rules.json",
    "quantities.json",
    "defaults.json",
  ].map((name) => join(here, "generate", name)),
];
const digest = createHash("sha256");
for (const input of inputs) digest.update(readFileSync(input));
const stamp = digest.digest("hex");
const stampFile = join(out, ".stamp");
if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) process.exit(0);

const readJson = (name) => JSON.parse(readFileSync(join(here, "generate", name), "utf8"));
const models = readModels(join(source, "dist/gen/models"), readJson("packages.json").packages);
const resources = readResources(join(source, "dist/gen/apis"), models);
const overlay = {
  rules: readJson("merge-rules.json"),
  quantities: readJson("quantities.json"),
  defaults: readJson("defaults.json"),
  protobuf: readJson("protobuf-fields.json"),
};

mkdirSync(out, { recursive: true });
const reachable = models.closure(resources.flatMap((resource) => resource.models));
// OpenAPI needs what the server answers beside objects; its type is our own.
const documented = models.closure([...reachable, "V1Status"]);
writeFileSync(join(out, "types.ts"), renderTypes(reachable, resources, models));
writeFileSync(join(out, "schemas.ts"), renderSchemas(documented, models, overlay, stamp));
writeFileSync(join(out, "protobuf.ts"), renderProtobuf(documented, models, overlay));
writeFileSync(join(out, "resources.ts"), renderResources(resources, models));
writeFileSync(join(out, "docs.ts"), renderDocs(documented, models));
writeFileSync(stampFile, stamp);
console.log(`generated ${reachable.length} types and ${resources.length} resources`);
