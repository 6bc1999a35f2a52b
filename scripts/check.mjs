// `npm run check`: everything that can be checked without real parts.
import { build, install, must } from "./lib.mjs";

install();
must("node", ["scripts/generate-api.mjs"]);
must("npx", ["--no-install", "biome", "check", "."]);
must("node", ["scripts/check-imports.mjs"]);
must("npx", ["--no-install", "tsc", "-p", "tsconfig.json"]);
must("npx", ["--no-install", "vitest", "run", "--project", "unit"]);
build({ types: true });
must("node", ["scripts/generate-readme.mjs", "--check"]);
must("node", ["scripts/generate-support-table.mjs", "--check"]);
must("npx", ["--no-install", "publint", "--strict"]);
must("npx", ["--no-install", "attw", "--pack", ".", "--profile", "esm-only"]);
must("npx", ["--no-install", "typedoc", "--logLevel", "Warn"]);
must("npx", ["--no-install", "knip"]);
