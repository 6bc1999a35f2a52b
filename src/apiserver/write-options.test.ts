import { describe, expect, test } from "vitest";
import type { ApiRequest } from "../api/index.js";
import { checkWriteOptions } from "./write-options.js";

describe("checkWriteOptions", () => {
  const cases: readonly (Pick<ApiRequest, "verb" | "options" | "patchType"> & { message: string })[] = [
    { verb: "create", options: { dryRun: ["x"] }, message: 'CreateOptions.meta.k8s.io "" is invalid: dryRun: ' },
    { verb: "update", options: { fieldManager: "x".repeat(129) }, message: "Too long: may not be more than 128 bytes" },
    { verb: "update", options: { fieldManager: "a\u0000" }, message: "invalid character U+0000 (at position 1)" },
    { verb: "patch", patchType: "apply", message: "fieldManager: Required value: is required for apply patch" },
    {
      verb: "patch",
      patchType: "merge",
      options: { force: true },
      message: "force: Forbidden: may not be specified for non-apply patch",
    },
  ];
  test.each(cases)("refuses $verb $patchType $options", ({ message, ...request }) => {
    expect(() => checkWriteOptions(request)).toThrowError(message);
  });

  test("takes reads, and writes without any", () => {
    for (const verb of ["get", "create", "update", "delete"] as const) checkWriteOptions({ verb });
    checkWriteOptions({ verb: "patch", patchType: "apply", options: { fieldManager: "é", force: false } });
  });
});
