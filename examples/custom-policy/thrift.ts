// readme:begin
import { type ControlPlane, startControlPlane } from "coxswain";
import { defaultPolicies, type SchedulingPolicy } from "coxswain/scheduler";

const price = (labels: Readonly<Record<string, string>> = {}): number => Number(labels["example.com/price"] ?? 100);

export const thrift: SchedulingPolicy = {
  name: "Thrift",
  filter: (_pod, { node }) => (price(node.metadata.labels) > 50 ? "node(s) cost too much" : undefined),
  score: (_pod, { node }) => 100 - price(node.metadata.labels),
};
const policies = [...defaultPolicies(), { policy: thrift, weight: 10 }];
export const start = (): Promise<ControlPlane> => startControlPlane({ nodes: 3, scheduler: { policies } });
// readme:end
