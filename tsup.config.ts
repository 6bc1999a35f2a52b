import { readFileSync } from "node:fs";
import { defineConfig } from "tsup";

const { exports } = JSON.parse(readFileSync("package.json", "utf8")) as {
  exports: Record<string, string | { import: string }>;
};

/** One entry for each subpath of the package, and the command line. */
const entries = Object.values(exports).flatMap((target) => (typeof target === "string" ? [] : [target.import]));

export default defineConfig({
  entry: Object.fromEntries(
    [...entries, "./dist/cli/main.js"].map((file) => {
      const name = file.slice("./dist/".length, -".js".length);
      return [name, `src/${name}.ts`];
    }),
  ),
  format: "esm",
  target: "node20",
  platform: "node",
  splitting: true,
  sourcemap: true,
  clean: true,
  dts: false,
});
