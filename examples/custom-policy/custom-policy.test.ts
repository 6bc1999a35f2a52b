import { defaultPolicies, type SchedulingPolicy, whatIf } from "coxswain/scheduler";
import { describeSchedulingPolicy, makeNode, makePod } from "coxswain/testing";
import { expect, test } from "vitest";
import { cheapest } from "./cheapest.js";
import { gang } from "./gang.js";

const prices = ["5", "1", "9"];

describeSchedulingPolicy({
  name: "Cheapest",
  setup: () => ({
    policy: cheapest,
    node: (node, random) => ({
      ...node,
      metadata: {
        ...node.metadata,
        labels: { ...node.metadata.labels, "example.com/price": prices[Math.floor(random() * 3)] ?? "5" },
      },
    }),
  }),
});

describeSchedulingPolicy({ name: "Gang", setup: () => ({ policy: gang(() => ({ waitingPod: () => undefined })) }) });

function place(policies: readonly SchedulingPolicy[]): (string | undefined)[] {
  const nodes = prices.map((price) =>
    makeNode(`at-${price}`, { cpuMillis: 1000, labels: { "example.com/price": price } }),
  );
  const pods = Array.from({ length: 3 }, (_, index) => makePod(`pod-${index}`, { cpuMillis: 600 }));
  const weighted = policies.map((policy) => ({ policy, weight: 100 }));
  const profiles = [{ policies: [...defaultPolicies(), ...weighted] }];
  return whatIf(pods, { nodes, pods: [], profiles, random: { next: () => 0 } }).map(({ nodeName }) => nodeName);
}

test("pods fill the cheapest nodes first", () => {
  expect(place([cheapest])).toEqual(["at-1", "at-5", "at-9"]);
});
