// What the generators of documents share.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./lib.mjs";

/** With `--check` a generated file that is not what it should be is an error; otherwise it is written. */
export function put(path, text) {
  const file = join(root, path);
  if (current(file) === text) return;
  if (!process.argv.includes("--check")) {
    writeFileSync(file, text);
    console.log(`wrote ${path}`);
    return;
  }
  console.error(`coxswain: ${path} is out of date; npm run docs brings it up to date`);
  process.exitCode = 1;
}

export function read(path) {
  return readFileSync(join(root, path), "utf8");
}

function current(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
