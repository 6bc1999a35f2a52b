import { describe, expect, test } from "vitest";
import { parseSemver, type Semver } from "./library-semver.js";

describe("Semver", () => {
  test("is ordered as semver.org says", () => {
    const ordered = [
      "1.0.0-alpha",
      "1.0.0-alpha.1",
      "1.0.0-alpha.beta",
      "1.0.0-beta.2",
      "1.0.0-beta.11",
      "1.0.0",
      "1.2.0",
      "1.10.0",
    ];
    const shuffled = [...ordered].reverse().map((text) => ({ text, version: parseSemver(text) as Semver }));
    expect(shuffled.sort((a, b) => a.version.compare(b.version)).map(({ text }) => text)).toEqual(ordered);
    expect(["1.0", "01.0.0", "v1.0.0", ""].map((text) => parseSemver(text))).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});
