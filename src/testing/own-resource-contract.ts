import { describe, test } from "vitest";
import { type OwnResourceSubject, ownResourceChecks, runOwnResourceCheck } from "./own-resource-checks.js";

export interface OwnResourceContractOptions {
  readonly name: string;
  /** A resource for one check, with nothing in the namespaces `contract-a` and `contract-b`. It is disposed afterwards. */
  readonly setup: () => OwnResourceSubject | Promise<OwnResourceSubject>;
  /** Reasons not to run single checks, by the checks' names. A name that no check has is an error. */
  readonly skip?: Readonly<Record<string, string>>;
}

/** The behaviour of a resource with a storage of its own, behind a server. Checks of verbs that it has not are skipped. */
export function describeOwnResource({ name, setup, skip = {} }: OwnResourceContractOptions): void {
  const unknown = Object.keys(skip).filter((skipped) => !ownResourceChecks.some((check) => check.name === skipped));
  if (unknown.length > 0) throw new Error(`no such check to skip: ${unknown.join(", ")}`);
  describe(`${name} as a resource with a storage of its own`, () => {
    for (const check of ownResourceChecks) {
      test(check.name, async (context) => {
        const reason = Object.hasOwn(skip, check.name) ? skip[check.name] : undefined;
        if (reason !== undefined) context.skip(reason);
        const lacking = await runOwnResourceCheck(check, setup);
        if (lacking !== undefined) context.skip(lacking);
      });
    }
  });
}
