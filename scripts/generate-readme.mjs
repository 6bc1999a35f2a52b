// Puts code from examples/ and the command line's own help into README.md and the guides, so that they cannot go stale. Needs a build.
// `<!-- begin: PATH -->` ... `<!-- end -->` holds the part of PATH between `// readme:begin` and `// readme:end`, or all of it;
// `<!-- begin: coxswain up -->` holds what `coxswain up --help` prints. `--check` only compares.
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { extname, join } from "node:path";
import { put, read } from "./docs-lib.mjs";
import { root } from "./lib.mjs";

/** A rung that needs more is not a first step. */
const maxReadmeLines = 15;

const guides = readdirSync(join(root, "docs/guides")).map((name) => `docs/guides/${name}`);
for (const path of ["README.md", ...guides]) put(path, filled(path));
checkSubpaths();

function filled(path) {
  const text = read(path);
  const marks = [...text.matchAll(/<!-- begin: (.+?) -->/g)].length;
  let count = 0;
  const result = text.replace(/(<!-- begin: (.+?) -->\n)[\s\S]*?(<!-- end -->)/g, (_, begin, source, end) => {
    count++;
    const block = source.startsWith("coxswain") ? help(source) : code(source, path);
    return `${begin}${block}${end}`;
  });
  if (count !== marks) throw new Error(`${path}: a part that begins does not end`);
  return result;
}

function code(source, into) {
  const text = read(source);
  const part = /^ *\/\/ readme:begin\n([\s\S]*?)^ *\/\/ readme:end$/m.exec(text)?.[1] ?? text;
  const lines = part.trimEnd().split("\n");
  if (into === "README.md" && lines.length > maxReadmeLines) {
    throw new Error(`${source}: ${lines.length} lines are too many for the README; ${maxReadmeLines} is the limit`);
  }
  const language = { ".ts": "ts", ".yaml": "yaml" }[extname(source)] ?? "";
  return `\`\`\`${language}\n${lines.join("\n")}\n\`\`\`\n`;
}

function help(command) {
  const args = command.split(" ").slice(1);
  const env = { ...process.env, COLUMNS: "100" };
  const text = execFileSync(process.execPath, [join(root, "dist/cli/main.js"), ...args, "--help"], {
    env,
    encoding: "utf8",
  });
  return `\`\`\`text\n${text.trimEnd()}\n\`\`\`\n`;
}

/** The README's table names every subpath that can be imported. */
function checkSubpaths() {
  const readme = read("README.md");
  for (const subpath of Object.keys(JSON.parse(read("package.json")).exports)) {
    const name = subpath.replace(/^\./, "coxswain");
    if (!subpath.endsWith(".json") && !readme.includes(`| \`${name}\` |`))
      throw new Error(`README.md does not name ${name}`);
  }
}
