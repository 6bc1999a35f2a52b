// `npm run bench -- [name...] [--json FILE]`: builds, then measures; each figure stands beside its baseline of the same run.
import { join } from "node:path";
import { build, install, must, root } from "./lib.mjs";

install();
build({ types: false });
const out = join(root, ".coxswain/bench");
must("npx", [
  "--no-install",
  "esbuild",
  "bench/main.ts",
  "--bundle",
  "--splitting",
  "--platform=node",
  "--format=esm",
  "--target=node20",
  "--packages=external",
  `--outdir=${out}`,
  "--log-level=warning",
]);
must(process.execPath, ["--expose-gc", join(out, "main.js"), ...process.argv.slice(2)]);
