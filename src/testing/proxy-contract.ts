import { afterAll, beforeAll, describe, test } from "vitest";
import { type ProxySubject, proxyChecks, runProxyCheck } from "./proxy-checks.js";

export interface ProxyContractOptions {
  readonly name: string;
  setup(): Promise<ProxySubject>;
  /** Checks that do not apply, by name, with the reason. */
  readonly skip?: Readonly<Record<string, string>> | undefined;
}

/** The behaviour that every ProxyBackend has. */
export function describeProxyBackend({ name, setup, skip = {} }: ProxyContractOptions): void {
  const skipped = new Map(Object.entries(skip));
  for (const title of skipped.keys()) {
    if (!proxyChecks.some((check) => check.name === title)) throw new Error(`there is no check ${title} to skip`);
  }
  describe(`${name} as a ProxyBackend`, () => {
    let subject: ProxySubject;
    beforeAll(async () => {
      subject = await setup();
    });
    afterAll(async () => {
      await subject?.dispose();
    });
    for (const check of proxyChecks) {
      const reason = skipped.get(check.name);
      if (reason === undefined) test(check.name, () => runProxyCheck(check, subject));
      else test.skip(`${check.name} (${reason})`);
    }
  });
}
