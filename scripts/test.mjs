// `npm test`: installs what is missing, builds, and runs every test: units, then the real parts. Its last line counts them.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, install, must, root, run } from "./lib.mjs";

install();
must("bash", ["scripts/provision.sh"]);
build({ types: true });

const folder = mkdtempSync(join(tmpdir(), "coxswain-test-"));
const report = join(folder, "report.json");
const only = process.argv.slice(2);
const code = run(
  "npx",
  ["--no-install", "vitest", "run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...only],
  { cwd: root },
);

let counts = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numFailedTestSuites: 0 };
try {
  counts = JSON.parse(readFileSync(report, "utf8"));
} catch {
  console.error("coxswain: the test run left no report");
}
rmSync(folder, { recursive: true, force: true });
// A file that could not even be loaded has failed, though no test of it has.
const failed = counts.numFailedTests || (code === 0 ? 0 : Math.max(1, counts.numFailedTestSuites ?? 0));
const skipped = counts.numPendingTests > 0 ? `, ${counts.numPendingTests} skipped` : "";
console.log(`${counts.numPassedTests} passed, ${failed} failed${skipped}`);
process.exit(code === 0 && counts.numPassedTests === 0 ? 1 : code);
