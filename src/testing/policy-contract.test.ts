import { describe, expect, test } from "vitest";
import type { Pod } from "../api/index.js";
import type { SchedulingPolicy } from "../scheduler/framework/policy.js";
import { defaultPolicies } from "../scheduler/policies/default-policies.js";
import { nodeResourcesFit } from "../scheduler/policies/node-resources.js";
import { describeSchedulingPolicy, policyChecks, runPolicyCheck } from "./policy-contract.js";

defaultPolicies().forEach(({ policy: { name } }, index) => {
  describeSchedulingPolicy({
    name,
    setup: () => {
      const entry = defaultPolicies()[index];
      if (entry === undefined) throw new Error("the default policies changed");
      return { policy: entry.policy };
    },
  });
});

describeSchedulingPolicy({
  name: "a policy that signs pods",
  setup: () => ({
    policy: {
      name: "Quiet",
      signPod: ({ metadata }) => metadata.labels?.app ?? "",
      filter: ({ metadata }, { pods }) =>
        pods.some(({ metadata: { labels } }) => labels?.app === metadata.labels?.app) ? "node(s) had one" : undefined,
      score: (_, { pods }) => Math.max(0, 100 - pods.length),
    },
  }),
});

const finite = "gives verdicts and finite scores from 0 to 100, and changes nothing that it is given";

const broken: readonly { readonly name: string; readonly check: string; readonly make: () => SchedulingPolicy }[] = [
  { name: "a name of two words", check: "has a name that can stand in a configuration", make: () => ({ name: "a b" }) },
  { name: "a score of NaN", check: finite, make: () => ({ name: "X", score: () => Number.NaN }) },
  { name: "a score above 100", check: finite, make: () => ({ name: "X", score: () => 101 }) },
  {
    name: "a filter that throws",
    check: finite,
    make: () => ({
      name: "X",
      filter: () => {
        throw new Error("boom");
      },
    }),
  },
  {
    name: "a filter that labels the pod",
    check: finite,
    make: () => ({
      name: "X",
      filter: (pod) => {
        Object.assign(pod.metadata, { labels: {} });
        return undefined;
      },
    }),
  },
  {
    name: "fewer normalised scores than nodes",
    check: finite,
    make: () => ({ name: "X", score: () => 1, normalizeScore: () => [1] }),
  },
  {
    name: "a rejection without reasons",
    check: "rejects with reasons that can be counted over nodes",
    make: () => ({ name: "X", filter: () => ({ reasons: [] }) }),
  },
  {
    name: "a reason that names the node",
    check: "rejects with reasons that can be counted over nodes",
    make: () => ({ name: "X", filter: (_, { name }) => `not ${name}` }),
  },
  {
    name: "a filter that counts its calls",
    check: "decides the same when asked again",
    make: () => {
      let calls = 0;
      return { name: "X", filter: () => (calls++ % 3 === 0 ? "no" : undefined) };
    },
  },
  {
    name: "a filter that remembers the last pod",
    check: "decides by the pod, whatever pods came before",
    make: () => {
      let last: Pod | undefined;
      return {
        name: "X",
        filter: (pod) => {
          const changed = last !== undefined && last.metadata.name !== pod.metadata.name;
          last = pod;
          return changed ? "not the same pod" : undefined;
        },
      };
    },
  },
  {
    name: "a filter that only takes the first node",
    check: "does not mind the order of nodes",
    make: () => ({
      name: "X",
      filter: (_, { name }, { snapshot }) => (snapshot.nodes[0]?.name === name ? undefined : "not the first"),
    }),
  },
  {
    name: "an order that puts every pod before every other",
    check: "sorts the queue by a strict weak order",
    make: () => ({ name: "X", queueSort: () => -1 }),
  },
  {
    name: "a reservation that is not given back",
    check: "takes back a reservation, as often as asked and without one",
    make: () => {
      let taken = false;
      return {
        name: "X",
        reserve: () => {
          taken = true;
          return undefined;
        },
        filter: () => (taken ? "taken" : undefined),
      };
    },
  },
  {
    name: "a hint that needs what an event lacks",
    check: "answers hints for every object that an event may carry",
    make: () => ({
      name: "X",
      requeueWhen: [{ resource: "Node", actions: ["Add"], hint: (_, { old }) => (old as Pod).kind === "Pod" }],
    }),
  },
  {
    name: "a signature that leaves out what the filter reads",
    check: "decides the same compiled as called plainly",
    make: () => ({
      name: "X",
      signPod: () => "",
      filter: ({ metadata }) => (metadata.labels?.app === "web" ? "no web here" : undefined),
    }),
  },
  {
    name: "a signed policy that looks at other nodes",
    check: "decides the same compiled as called plainly",
    make: () => ({
      name: "X",
      signPod: () => "",
      score: (_, __, { snapshot }) => snapshot.nodes.reduce((sum, { pods }) => sum + pods.length, 0),
    }),
  },
  {
    name: "a compiled face that takes every node",
    check: "decides the same compiled as called plainly",
    make: () => ({ ...nodeResourcesFit(), vector: { key: () => "", compile: () => ({ podsScore: () => 50 }) } }),
  },
];

describe("the contract of a SchedulingPolicy fails on", () => {
  test.each(broken)("$name", ({ check: name, make }) => {
    const check = policyChecks.find((other) => other.name === name);
    if (check === undefined) throw new Error(`no check ${name}`);
    expect(() => runPolicyCheck(check, () => ({ policy: make() }))).toThrow(/seed \d+/);
  });

  test("and every check is seen to fail", () => {
    expect(new Set(broken.map(({ check }) => check))).toEqual(new Set(policyChecks.map(({ name }) => name)));
  });
});
