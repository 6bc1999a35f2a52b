import { describe, expect, test } from "vitest";
import { pickEndpoints } from "./pick-endpoints.js";
import type { ProxyEndpoint, ProxyServicePort } from "./proxy.js";

const endpoint = (name: string, state: Partial<ProxyEndpoint> = {}): ProxyEndpoint => ({
  ip: name,
  port: 80,
  ready: true,
  serving: true,
  terminating: false,
  local: false,
  forZones: [],
  forNodes: [],
  ...state,
});
const leaving = { ready: false, terminating: true };
const broken = { ready: false, serving: false };

interface Case {
  readonly name: string;
  readonly endpoints: readonly ProxyEndpoint[];
  readonly policies?: Partial<ProxyServicePort>;
  readonly zone?: string;
  readonly cluster: readonly string[];
  readonly local: readonly string[];
  readonly any: boolean;
}

const internalLocal = { internalTrafficPolicy: "Local" } as const;
const externalLocal = { externalTrafficPolicy: "Local", nodePort: 30_000 } as const;

const cases: readonly Case[] = [
  { name: "nothing", endpoints: [], cluster: [], local: [], any: false },
  {
    name: "ready ones only, while there are any",
    endpoints: [endpoint("a"), endpoint("b", leaving), endpoint("c", broken)],
    cluster: ["a"],
    local: [],
    any: true,
  },
  {
    name: "serving terminating ones, when nothing is ready",
    endpoints: [endpoint("b", leaving), endpoint("c", broken), endpoint("d", { ready: false })],
    cluster: ["b"],
    local: [],
    any: true,
  },
  {
    name: "internal policy Local needs no endpoints of the cluster",
    policies: internalLocal,
    endpoints: [endpoint("a"), endpoint("b", { local: true })],
    cluster: [],
    local: ["b"],
    any: true,
  },
  {
    name: "internal policy Local without a local endpoint",
    policies: internalLocal,
    endpoints: [endpoint("a")],
    cluster: [],
    local: [],
    any: true,
  },
  {
    name: "external policy Local keeps the cluster's for the node's own traffic",
    policies: externalLocal,
    endpoints: [endpoint("a"), endpoint("b", { local: true, ...leaving })],
    cluster: ["a"],
    local: ["b"],
    any: true,
  },
  {
    name: "external policy Local means nothing to what cannot be reached from outside",
    policies: { externalTrafficPolicy: "Local" },
    endpoints: [endpoint("a"), endpoint("b", { local: true })],
    cluster: ["a", "b"],
    local: [],
    any: true,
  },
  {
    name: "hints for zones",
    zone: "z1",
    endpoints: [endpoint("a", { forZones: ["z1"] }), endpoint("b", { forZones: ["z2"] })],
    cluster: ["a"],
    local: [],
    any: true,
  },
  {
    name: "hints for zones do not count when one endpoint has none",
    zone: "z1",
    endpoints: [endpoint("a", { forZones: ["z1"] }), endpoint("b")],
    cluster: ["a", "b"],
    local: [],
    any: true,
  },
  {
    name: "hints for zones do not count when none is for this one",
    zone: "z3",
    endpoints: [endpoint("a", { forZones: ["z1"] }), endpoint("b", { forZones: ["z2"] })],
    cluster: ["a", "b"],
    local: [],
    any: true,
  },
  {
    name: "hints for zones do not count on a node without a zone",
    endpoints: [endpoint("a", { forZones: ["z1"] }), endpoint("b", { forZones: ["z2"] })],
    cluster: ["a", "b"],
    local: [],
    any: true,
  },
  {
    name: "hints of endpoints that are not ready do not matter",
    zone: "z1",
    endpoints: [endpoint("a", { forZones: ["z1"] }), endpoint("b", broken), endpoint("c", { forZones: ["z2"] })],
    cluster: ["a"],
    local: [],
    any: true,
  },
  {
    name: "hints for this node come before those for its zone",
    zone: "z1",
    endpoints: [
      endpoint("a", { forZones: ["z1"], forNodes: ["here"] }),
      endpoint("b", { forZones: ["z1"], forNodes: ["there"] }),
    ],
    cluster: ["a"],
    local: [],
    any: true,
  },
];

describe("pickEndpoints", () => {
  for (const { name, endpoints, policies, zone, cluster, local, any } of cases) {
    test(name, () => {
      const usual = {
        internalTrafficPolicy: "Cluster",
        externalTrafficPolicy: "Cluster",
        nodePort: 0,
        externalIPs: [],
        loadBalancerIPs: [],
      } as const;
      const picked = pickEndpoints({ ...usual, ...policies }, endpoints, { nodeName: "here", zone });
      expect(picked.clusterEndpoints.map(({ ip }) => ip)).toEqual(cluster);
      expect(picked.localEndpoints.map(({ ip }) => ip)).toEqual(local);
      expect(picked.hasEndpoints).toBe(any);
    });
  }
});
