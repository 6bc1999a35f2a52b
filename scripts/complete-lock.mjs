// Adds to package-lock.json the packages of other platforms that the registry at hand did not offer: optional dependencies that
// a complete lock names, so that `npm ci` takes it everywhere. Run it after every `npm install`.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./lib.mjs";

const file = join(root, "package-lock.json");
const lock = JSON.parse(readFileSync(file, "utf8"));
const systems = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"];
const processors = ["arm64", "arm", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "x64"];

const added = {};
for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const place = `node_modules/${name}`;
    if (lock.packages[place] !== undefined || lock.packages[`${path}/${place}`] !== undefined) continue;
    const words = name.split("/").at(-1).split(/[-.]/);
    const os = systems.find((system) => words.includes(system));
    const cpu = processors.find((processor) =>
      words.some((word) => word === processor || (processor === "arm" && word === "arm")),
    );
    if (os === undefined || cpu === undefined || !/^\d/.test(version)) continue;
    const libc = words.some((word) => word.startsWith("musl")) ? { libc: ["musl"] } : {};
    added[place] = {
      version,
      cpu: [cpu],
      ...(entry.dev ? { dev: true } : {}),
      ...libc,
      license: "MIT",
      optional: true,
      os: [os],
    };
  }
}
const packages = { ...lock.packages, ...added };
lock.packages = Object.fromEntries(
  Object.keys(packages)
    .sort()
    .map((path) => [path, packages[path]]),
);
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`added ${Object.keys(added).length} packages of other platforms`);
