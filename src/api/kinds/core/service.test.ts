import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../object.js";
import { created, strategyFor, updated, withPath } from "../testing.js";

const service: JsonObject = {
  metadata: { name: "web", namespace: "default" },
  spec: { selector: { app: "web" }, ports: [{ port: 80 }] },
};

interface Row {
  readonly name: string;
  readonly spec: JsonObject;
  readonly errors: readonly string[];
}

const rows: readonly Row[] = [
  { name: "one port is good", spec: { ports: [{ port: 80 }] }, errors: [] },
  { name: "no ports", spec: {}, errors: ["spec.ports: Required value"] },
  { name: "headless without ports is good", spec: { clusterIP: "None", selector: { a: "b" } }, errors: [] },
  { name: "a name elsewhere is good", spec: { type: "ExternalName", externalName: "example.com." }, errors: [] },
  {
    name: "a name elsewhere that is none",
    spec: { type: "ExternalName" },
    errors: ["spec.externalName: Required value"],
  },
  {
    name: "several ports without names",
    spec: { ports: [{ port: 80 }, { port: 81, name: "b" }] },
    errors: ["spec.ports[0].name: Required value"],
  },
  {
    name: "one port twice",
    spec: {
      ports: [
        { port: 80, name: "a" },
        { port: 80, name: "b" },
      ],
    },
    errors: [
      'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}',
    ],
  },
  {
    name: "node port of a cluster IP",
    spec: { ports: [{ port: 80, nodePort: 30000 }] },
    errors: ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
  },
  {
    name: "unknown type",
    spec: { type: "Magic", ports: [{ port: 80 }] },
    errors: [
      'spec.type: Unsupported value: "Magic": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
    ],
  },
  {
    name: "an external IP that would take over every node's own traffic",
    spec: { ports: [{ port: 80 }], externalIPs: ["127.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "x"] },
    errors: [
      'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
      'spec.externalIPs[1]: Invalid value: "169.254.169.254": may not be in the link-local range (169.254.0.0/16, fe80::/10)',
      'spec.externalIPs[2]: Invalid value: "::ffff:127.0.0.1": must not be an IPv4-mapped IPv6 address',
      'spec.externalIPs[3]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    ],
  },
  {
    name: "affinity for too long",
    spec: {
      ports: [{ port: 80 }],
      sessionAffinity: "ClientIP",
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 86401 } },
    },
    errors: [
      "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401: must be greater than 0 and less than 86400",
    ],
  },
  {
    name: "a load balancer's fields elsewhere",
    spec: {
      ports: [{ port: 80 }],
      loadBalancerClass: "a/b",
      externalTrafficPolicy: "Local",
      healthCheckNodePort: 30001,
    },
    errors: [
      "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
      'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services',
      "spec.healthCheckNodePort: Invalid value: 30001: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
    ],
  },
];

describe("creating a service", () => {
  it.each(rows)("$name", ({ spec, errors }) => {
    expect(created("/services", { ...service, spec }).errors).toEqual(errors);
  });

  it("has the name of a label, which may begin with a digit", () => {
    const { validateName } = strategyFor("/services");
    expect(validateName?.("1web")).toEqual([]);
    expect(validateName?.("web.example")).toEqual(["must not contain dots"]);
  });
});

describe("updating a service", () => {
  const allocated = withPath(
    withPath(withPath(created("/services", service).object, "spec.clusterIP", "10.0.0.5"), "spec.clusterIPs", [
      "10.0.0.5",
    ]),
    "metadata.resourceVersion",
    "1",
  );

  it("keeps its address when it is left out", () => {
    const { object, errors } = updated("/services", service, allocated);
    expect(errors).toEqual([]);
    expect(object).toMatchObject({ spec: { clusterIP: "10.0.0.5", clusterIPs: ["10.0.0.5"] } });
  });

  it("has its address for good", () => {
    const { errors } = updated("/services", withPath(service, "spec.clusterIP", "10.0.0.6"), allocated);
    expect(errors).toEqual(['spec.clusterIPs[0]: Invalid value: ["10.0.0.6"]: may not change once set']);
  });

  it("keeps node ports by port and protocol, and loses them with the type", () => {
    const exposed = withPath(withPath(allocated, "spec.type", "NodePort"), "spec.ports.0.nodePort", 30080);
    const again = withPath(service, "spec.type", "NodePort");
    expect(updated("/services", again, exposed).object).toMatchObject({ spec: { ports: [{ nodePort: 30080 }] } });
    const inside = withPath(withPath(exposed, "spec.type", "ClusterIP"), "spec.externalTrafficPolicy", undefined);
    const { object, errors } = updated("/services", inside, exposed);
    expect(errors).toEqual([]);
    expect(object).not.toHaveProperty("spec.ports.0.nodePort");
  });

  it("gives its address up for a name elsewhere", () => {
    const named = withPath(withPath(allocated, "spec.type", "ExternalName"), "spec.externalName", "example.com");
    const { object, errors } = updated(
      "/services",
      withPath(named, "spec.internalTrafficPolicy", undefined),
      allocated,
    );
    expect(errors).toEqual([]);
    expect(object).not.toHaveProperty("spec.clusterIP");
    expect(object).not.toHaveProperty("spec.clusterIPs");
  });

  const both = withPath(
    withPath(withPath(allocated, "spec.clusterIPs", ["10.0.0.5", "fd00::5"]), "spec.ipFamilies", ["IPv4", "IPv6"]),
    "spec.ipFamilyPolicy",
    "PreferDualStack",
  );
  const elsewhere = { type: "ExternalName", externalName: "example.com" };

  it.each([
    ["one address from an old client keeps both", { clusterIP: "10.0.0.5" }, ["10.0.0.5", "fd00::5"], []],
    [
      "another address from an old client is the only one",
      { clusterIP: "10.0.0.6" },
      ["10.0.0.6"],
      [
        'spec.clusterIPs[0]: Invalid value: ["10.0.0.6"]: may not change once set',
        "spec.ipFamilyPolicy: Invalid value: null: must be set to 'SingleStack' when releasing the secondary clusterIP",
      ],
    ],
    ["an old client makes it a name elsewhere", { ...elsewhere, clusterIP: "10.0.0.5" }, undefined, []],
    [
      "other families than before do not go away with the type",
      { ...elsewhere, ipFamilies: ["IPv6"], ipFamilyPolicy: "PreferDualStack" },
      undefined,
      ["spec.ipFamilies: Forbidden: may not be set for ExternalName services"],
    ],
  ])("%s", (_name, changes, clusterIPs, errors) => {
    const next = { ...service, spec: { ports: [{ port: 80 }], selector: { app: "web" }, ...changes } };
    const result = updated("/services", next, both);
    expect(result.errors).toEqual(errors);
    expect((result.object["spec"] as JsonObject)["clusterIPs"]).toEqual(clusterIPs);
  });
});

describe("warnings about services", () => {
  const { warnings, statusWarnings } = strategyFor("/services");
  it("name what should be written otherwise", () => {
    const spec = { clusterIPs: ["2001:DB8::1"], externalIPs: ["2001:DB8::2"], trafficDistribution: "PreferClose" };
    expect(warnings?.({ spec }, { spec })).toEqual([
      'spec.clusterIPs[0]: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")',
      'spec.externalIPs[0]: IPv6 address "2001:DB8::2" should be in RFC 5952 canonical format ("2001:db8::2")',
      'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"',
    ]);
  });

  it("of a status are about its addresses alone", () => {
    const status = { loadBalancer: { ingress: [{ hostname: "a" }, { ip: "::00" }] } };
    expect(statusWarnings?.({ spec: { externalIPs: ["::00"] }, status })).toEqual([
      'status.loadBalancer.ingress[1]: IPv6 address "::00" should be in RFC 5952 canonical format ("::")',
    ]);
  });
});
