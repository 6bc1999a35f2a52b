// `npm run docs`: the generated parts of README.md and docs/, and the API reference in docs/reference.
import { build, install, must } from "./lib.mjs";

install();
build({ types: false });
must("node", ["scripts/generate-readme.mjs"]);
must("node", ["scripts/generate-support-table.mjs"]);
must("npx", ["--no-install", "typedoc"]);
