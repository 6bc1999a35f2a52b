import { describe, test } from "vitest";
import { type PolicyCheck, type PolicySubject, policyChecks } from "./policy-checks.js";

export type { PolicyCheck, PolicyCheckContext, PolicySubject } from "./policy-checks.js";
export { policyChecks } from "./policy-checks.js";

export interface PolicyContractOptions {
  readonly name: string;
  /** A new policy, sharing nothing with those given before. */
  readonly setup: () => PolicySubject;
  /** Reasons not to run single checks, by the checks' names. A name that no check has is an error. */
  readonly skip?: Readonly<Record<string, string>>;
  /** How many random clusters each check looks at; default 20. Messages carry the seed. */
  readonly clusters?: number;
}

/** Runs one check over random clusters; throws when the policy breaks the promise, with the seed. */
export function runPolicyCheck(check: PolicyCheck, setup: PolicyContractOptions["setup"], clusters = 20): void {
  for (let seed = 1; seed <= clusters; seed++) {
    try {
      check.run({ setup, seed });
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }
}

/** The contract of a SchedulingPolicy as a vitest suite. */
export function describeSchedulingPolicy({ name, setup, skip = {}, clusters = 20 }: PolicyContractOptions): void {
  const unknown = Object.keys(skip).filter((skipped) => !policyChecks.some((check) => check.name === skipped));
  if (unknown.length > 0) throw new Error(`no such check to skip: ${unknown.join(", ")}`);
  describe(`${name} keeps the contract of a SchedulingPolicy`, () => {
    for (const check of policyChecks) {
      const reason = Object.hasOwn(skip, check.name) ? skip[check.name] : undefined;
      test(check.name, (context) => {
        if (reason !== undefined) context.skip(reason);
        runPolicyCheck(check, setup, clusters);
      });
    }
  });
}
