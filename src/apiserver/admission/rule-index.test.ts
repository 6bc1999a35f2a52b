import { describe, expect, it } from "vitest";
import type { NamedRuleWithOperations } from "../../api/index.js";
import { seededRandom } from "../../internal/random.js";
import { request as requestOf } from "./fixture-request.js";
import { RuleIndex } from "./rule-index.js";
import { type MatchCriteria, type MatchDeps, matchCriteria, matchRequest } from "./rule-match.js";

const rule = (operations: readonly string[], resources: readonly string[]): NamedRuleWithOperations => ({
  apiGroups: ["*"],
  apiVersions: ["*"],
  operations: [...operations],
  resources: [...resources],
});

const cache: MatchDeps["cache"] = { get: () => undefined, list: () => [], generation: () => 0 };

describe("RuleIndex", () => {
  it("gives those that may be about a request, in order, and no others", () => {
    const all = [
      { name: "pods", criteria: matchCriteria({ rules: [rule(["CREATE"], ["pods"])] }) },
      { name: "other", criteria: matchCriteria({ rules: [rule(["CREATE"], ["nodes"])] }) },
      { name: "every", criteria: matchCriteria({ everyResource: true }) },
      { name: "deletes", criteria: matchCriteria({ rules: [rule(["DELETE"], ["pods"])] }) },
      { name: "status", criteria: matchCriteria({ rules: [rule(["*"], ["nodes", "*/status"])] }) },
      { name: "exec", criteria: matchCriteria({ rules: [rule(["CONNECT"], ["pods/exec"])] }) },
    ];
    const index = new RuleIndex(all, ({ criteria }) => criteria);
    const names = (operation: "CREATE" | "CONNECT", resource = "pods"): readonly string[] =>
      index.candidates(requestOf(undefined, { operation, resource }), {}).map(({ name }) => name);
    expect(names("CREATE")).toEqual(["pods", "every", "status"]);
    expect(names("CONNECT")).toEqual(["every", "status", "exec"]);
    expect(names("CREATE", "secrets")).toEqual(["every", "status"]);
    expect(names("CREATE")).toEqual(["pods", "every", "status"]);
  });

  it("leaves out nothing that matches", async () => {
    const seed = Date.now() % 1_000_000;
    const random = seededRandom(seed);
    const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random.next() * choices.length)] as T;
    const operations = ["CREATE", "UPDATE", "DELETE", "CONNECT"] as const;
    const resources = ["pods", "pods/status", "*", "*/*", "*/status", "nodes", "ingresses", "old", "pods/*"];
    const criteria: readonly MatchCriteria[] = Array.from({ length: 100 }, () =>
      matchCriteria({
        rules: [
          rule([pick([...operations, "*"])], [pick(resources), pick(resources)]),
          rule([pick(operations)], ["old"]),
        ],
        everyResource: random.next() < 0.1,
        matchPolicy: pick(["Exact", "Equivalent"]),
      }),
    );
    const index = new RuleIndex(criteria, (item) => item);
    const deps: MatchDeps = {
      cache,
      equivalents: ({ resource }) =>
        resource === "ingresses" ? [{ group: "extensions", version: "v1beta1", resource: "old", kind: "Ingress" }] : [],
    };
    for (let round = 0; round < 200; round++) {
      const request = requestOf(undefined, {
        operation: pick(operations),
        resource: pick(["pods", "nodes", "ingresses", "secrets"]),
        subresource: pick(["", "status", "exec"]),
      });
      const candidates = index.candidates(request, deps);
      const matching: MatchCriteria[] = [];
      for (const item of criteria) if ((await matchRequest(item, request, deps)) !== undefined) matching.push(item);
      expect(
        candidates.filter((item) => matching.includes(item)),
        `seed ${seed}`,
      ).toEqual(matching);
    }
  });
});
