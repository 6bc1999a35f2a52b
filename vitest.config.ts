import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

export default defineConfig({
  test: {
    projects: [
      {
        // Nothing has ambient state, so the files can share what they have loaded.
        test: { name: "unit", include: ["src/**/*.test.ts"], environment: "node", isolate: false, testTimeout: 20_000 },
      },
      {
        resolve: {
          alias: [
            { find: /^coxswain$/, replacement: path("dist/index.js") },
            { find: /^coxswain\/(.*)$/, replacement: path("dist/$1/index.js") },
          ],
        },
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts", "examples/**/*.test.ts"],
          environment: "node",
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        // What the server does belongs to no file: the files share one process and load it once.
        test: {
          name: "conformance",
          include: ["test/conformance/**/*.test.ts"],
          environment: "node",
          isolate: false,
          fileParallelism: false,
          testTimeout: 30_000,
        },
      },
    ],
  },
});
