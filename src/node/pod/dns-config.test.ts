import { describe, expect, test } from "vitest";
import type { Pod, PodSpec } from "../../api/index.js";
import { type DnsFacts, podDns } from "./dns-config.js";

const facts: DnsFacts = {
  clusterDns: ["10.96.0.10"],
  clusterDomain: "cluster.local",
  hostDns: { servers: ["192.0.2.53"], searches: ["corp.example", "svc.cluster.local"], options: ["timeout:2"] },
};
const pod = (spec: Partial<PodSpec>): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web", namespace: "shop", uid: "u1", resourceVersion: "", creationTimestamp: "" },
  spec: { containers: [], ...spec },
});
const inCluster = {
  servers: ["10.96.0.10"],
  searches: ["shop.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp.example"],
  options: ["ndots:5"],
};
const host = { ...facts.hostDns };

describe("podDns", () => {
  test.each<readonly [name: string, spec: Partial<PodSpec>, expected: object]>([
    ["ClusterFirst", { dnsPolicy: "ClusterFirst" }, inCluster],
    ["no policy", {}, inCluster],
    ["ClusterFirst on the host's network", { dnsPolicy: "ClusterFirst", hostNetwork: true }, host],
    ["ClusterFirstWithHostNet", { dnsPolicy: "ClusterFirstWithHostNet", hostNetwork: true }, inCluster],
    ["Default", { dnsPolicy: "Default" }, host],
    [
      "None",
      { dnsPolicy: "None", dnsConfig: { nameservers: ["1.1.1.1"], searches: ["a.b"], options: [{ name: "edns0" }] } },
      { servers: ["1.1.1.1"], searches: ["a.b"], options: ["edns0"] },
    ],
    [
      "dnsConfig adds to the policy's",
      {
        dnsConfig: {
          nameservers: ["10.96.0.10", "9.9.9.9"],
          searches: ["cluster.local", "x.y"],
          options: [{ name: "ndots", value: "2" }, { name: "rotate" }],
        },
      },
      {
        servers: ["10.96.0.10", "9.9.9.9"],
        searches: [...inCluster.searches, "x.y"],
        options: ["ndots:2", "rotate"],
      },
    ],
  ])("%s", (_, spec, expected) => {
    expect(podDns(pod(spec), facts)).toEqual({ config: expected, warnings: [] });
  });

  test("servers beyond the third are left out", () => {
    const { config, warnings } = podDns(pod({ dnsConfig: { nameservers: ["1.1.1.1", "2.2.2.2", "3.3.3.3"] } }), facts);
    expect(config?.servers).toEqual(["10.96.0.10", "1.1.1.1", "2.2.2.2"]);
    expect(warnings).toEqual([
      {
        reason: "DNSConfigForming",
        message:
          "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: 10.96.0.10 1.1.1.1 2.2.2.2",
      },
    ]);
  });

  test.each<readonly [name: string, searches: readonly string[], kept: number]>([
    ["more than 32", Array.from({ length: 40 }, (_, index) => `s${index}.example`), 32],
    ["more than 2048 characters", Array.from({ length: 20 }, (_, index) => `${index}`.padStart(200, "x")), 13],
    ["one longer than 253", ["a".repeat(254)], 4],
  ])("searches are cut: %s", (_, searches, kept) => {
    const { config, warnings } = podDns(pod({ dnsConfig: { searches: [...searches] } }), facts);
    expect(config?.searches).toHaveLength(kept);
    expect(
      warnings.map(({ reason, message }) => [reason, message.startsWith("Search Line limits were exceeded")]),
    ).toEqual([["DNSConfigForming", true]]);
  });

  test("without a name server of the cluster the node's is used, and said so", () => {
    const { config, warnings } = podDns(pod({}), { ...facts, clusterDns: [] });
    expect(config).toEqual(host);
    expect(warnings.map(({ reason }) => reason)).toEqual(["MissingClusterDNS"]);
    expect(podDns(pod({}), { clusterDns: [], clusterDomain: "cluster.local" })).toEqual({ warnings: [] });
  });
});
