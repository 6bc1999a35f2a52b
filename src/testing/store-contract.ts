import { describe, test } from "vitest";
import type { StoreCheck, StoreCheckContext, StoreSubject } from "./store-checks/check.js";
import { closingChecks } from "./store-checks/closing.js";
import { leaseChecks } from "./store-checks/leases.js";
import { rangeChecks } from "./store-checks/ranges.js";
import { watchChecks } from "./store-checks/watches.js";
import { writeChecks } from "./store-checks/writes.js";

export type { StoreCheck, StoreCheckContext, StoreSubject } from "./store-checks/check.js";

export interface StoreContractOptions {
  readonly name: string;
  /** A store for one check. It is disposed afterwards. */
  readonly setup: () => StoreSubject | Promise<StoreSubject>;
  /** Reasons not to run single checks, by the checks' names. A name that no check has is an error. */
  readonly skip?: Readonly<Record<string, string>>;
  /** For one check. Default: 30,000. */
  readonly timeoutMs?: number;
}

/** Every promise of the Store interface, by name. */
export const storeChecks: readonly StoreCheck[] = [
  ...writeChecks,
  ...rangeChecks,
  ...watchChecks,
  ...leaseChecks,
  ...closingChecks,
];

/** Runs one check on a store of its own; rejects when the store breaks the promise. */
export async function runStoreCheck(check: StoreCheck, setup: StoreContractOptions["setup"]): Promise<void> {
  const subject = await setup();
  const context: StoreCheckContext = {
    store: subject.store,
    prefix: subject.prefix ?? "/registry/",
    advance: subject.advance ?? ((durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs))),
  };
  try {
    await check.run(context);
  } finally {
    await subject.store[Symbol.asyncDispose]();
    await subject.cleanup?.();
  }
}

/** The contract of a Store as a vitest suite. */
export function describeStore({ name, setup, skip = {}, timeoutMs = 30_000 }: StoreContractOptions): void {
  const unknown = Object.keys(skip).filter((skipped) => !storeChecks.some((check) => check.name === skipped));
  if (unknown.length > 0) throw new Error(`no such check to skip: ${unknown.join(", ")}`);
  describe(`${name} keeps the contract of a Store`, () => {
    for (const check of storeChecks) {
      const reason = Object.hasOwn(skip, check.name) ? skip[check.name] : undefined;
      test(check.name, { timeout: timeoutMs }, async (context) => {
        if (reason !== undefined) context.skip(reason);
        await runStoreCheck(check, setup);
      });
    }
  });
}
