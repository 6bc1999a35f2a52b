import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../object.js";
import { created, strategyFor, updated } from "../testing.js";

interface Row {
  readonly name: string;
  readonly kind: string;
  readonly given: JsonObject;
  readonly errors: readonly string[];
}

const policies = "networking.k8s.io/networkpolicies";
const ingresses = "networking.k8s.io/ingresses";
const classes = "networking.k8s.io/ingressclasses";

const rows: readonly Row[] = [
  {
    name: "a policy with ports that are none",
    kind: policies,
    given: {
      spec: {
        ingress: [
          {
            ports: [
              { endPort: 9 },
              { port: "http", endPort: 9 },
              { port: 80, endPort: 9 },
              { protocol: "ICMP", port: 80, endPort: 70_000 },
            ],
          },
        ],
      },
    },
    errors: [
      "spec.ingress[0].ports[0].endPort: Invalid value: 9: may not be specified when `port` is not specified",
      "spec.ingress[0].ports[1].endPort: Invalid value: 9: may not be specified when `port` is non-numeric",
      "spec.ingress[0].ports[2].endPort: Invalid value: 80: must be greater than or equal to `port`",
      'spec.ingress[0].ports[3].protocol: Unsupported value: "ICMP": supported values: "TCP", "UDP", "SCTP"',
      "spec.ingress[0].ports[3].endPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
    ],
  },
  {
    name: "a policy with peers that are none",
    kind: policies,
    given: {
      spec: {
        egress: [
          {
            to: [
              {},
              { ipBlock: { cidr: "" } },
              { ipBlock: { cidr: "10.0.0.0/8", except: ["10.0.0.0/8"] }, podSelector: {} },
            ],
          },
        ],
        policyTypes: ["Egress", "Both"],
      },
    },
    errors: [
      "spec.egress[0].to[0]: Required value: must specify a peer",
      "spec.egress[0].to[1].ipBlock.cidr: Required value",
      'spec.egress[0].to[2].ipBlock.except[0]: Invalid value: "10.0.0.0/8": must be a strict subset of `cidr`',
      "spec.egress[0].to[2]: Forbidden: may not specify both ipBlock and another peer",
      'spec.policyTypes[1]: Unsupported value: "Both": supported values: "Ingress", "Egress"',
    ],
  },
  {
    name: "an ingress whose backends are none",
    kind: ingresses,
    given: {
      metadata: { annotations: { "kubernetes.io/ingress.class": "a" } },
      spec: {
        ingressClassName: "b",
        defaultBackend: {},
        rules: [
          { http: { paths: [{ path: "/", pathType: "Prefix", backend: { resource: { kind: "", name: "a/b" } } }] } },
        ],
        tls: [{ secretName: "No" }],
      },
    },
    errors: [
      'spec.defaultBackend: Invalid value: "": resource or service backend is required',
      "spec.rules[0].http.paths[0].backend.resource.kind: Required value: kind is required",
      "spec.rules[0].http.paths[0].backend.resource.name: Invalid value: \"a/b\": may not contain '/'",
      `spec.tls[0].secretName: Invalid value: "No": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
      'annotations.kubernetes.io/ingress.class: Invalid value: "a": must match `ingressClassName` when both are specified',
    ],
  },
  {
    name: "a class of a controller without a domain",
    kind: classes,
    given: {
      spec: { controller: "nginx", parameters: { kind: "Config", name: "x", scope: "Namespace" } },
    },
    errors: [
      'spec.controller: Invalid value: "nginx": must be a domain-prefixed path (such as "acme.io/foo")',
      "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'",
    ],
  },
  {
    name: "ranges of one family",
    kind: "networking.k8s.io/servicecidrs",
    given: { spec: { cidrs: ["10.0.0.0/24", "10.0.1.0/24"] } },
    errors: [
      'spec.cidrs: Invalid value: {"cidrs":["10.0.0.0/24","10.0.1.0/24"]}: may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64',
    ],
  },
  {
    name: "a range that has other texts",
    kind: "networking.k8s.io/servicecidrs",
    given: { spec: { cidrs: ["2001:DB8::/64"] } },
    errors: ['spec.cidrs[0]: Invalid value: "2001:DB8::/64": must be in canonical form ("2001:db8::/64")'],
  },
  {
    name: "an address of nobody",
    kind: "networking.k8s.io/ipaddresses",
    given: { spec: { parentRef: { name: "a/b" } } },
    errors: [
      "spec.parentRef.resource: Required value",
      "spec.parentRef.name: Invalid value: \"a/b\": may not contain '/'",
    ],
  },
  {
    name: "hints that are none",
    kind: "discovery.k8s.io/endpointslices",
    given: {
      addressType: "FQDN",
      endpoints: [
        {
          addresses: ["example", "example.com."],
          hints: { forZones: [{ name: "a" }, { name: "a" }], forNodes: [{ name: "-" }] },
        },
      ],
      ports: [{ name: "", protocol: "ICMP" }, {}],
    },
    errors: [
      'endpoints[0].addresses[0]: Invalid value: "example": should be a domain with at least two segments separated by dots',
      'endpoints[0].hints.forZones[1].name: Duplicate value: "a"',
      `endpoints[0].hints.forNodes[0].name: Invalid value: "-": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
      'ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"',
      'ports[1].name: Duplicate value: ""',
    ],
  },
];

describe("networking", () => {
  it.each(rows)("$name", ({ kind, given, errors }) => {
    expect(created(kind, given).errors).toEqual(errors);
  });

  it("the ranges of services and the owners of addresses stay", () => {
    const ranges = (...cidrs: readonly string[]): JsonObject => ({ spec: { cidrs } });
    const errors = (after: JsonObject, before: JsonObject): readonly string[] =>
      updated("networking.k8s.io/servicecidrs", after, before).errors;
    const one = ranges("10.0.0.0/24");
    const two = ranges("10.0.0.0/24", "fd00::/112");
    expect(errors(ranges("10.0.1.0/24"), one)).toEqual([
      'spec.cidrs[0]: Invalid value: "10.0.1.0/24": field is immutable',
    ]);
    expect(errors(two, one)).toEqual([]);
    expect(errors(ranges("fd00::/112", "10.0.0.0/24"), one)).toEqual([
      'spec.cidrs[0]: Invalid value: "fd00::/112": field is immutable',
    ]);
    expect(errors(one, two)).toEqual(['spec.cidrs: Invalid value: ["10.0.0.0/24"]: field is immutable']);
    const owned = (name: string): JsonObject => ({ spec: { parentRef: { resource: "services", name } } });
    expect(updated("networking.k8s.io/ipaddresses", owned("b"), owned("a")).errors).toEqual([
      'spec.parentRef: Invalid value: {"resource":"services","name":"b"}: field is immutable',
    ]);
  });

  it.each([
    ["10.0.0.1", []],
    ["2001:db8::1", []],
    ["2001:DB8::1", ['must be in canonical form ("2001:db8::1")']],
    ["10.0.0.01", ["must not have leading 0s"]],
    ["web", ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]],
  ])("an address is named %s", (name, errors) => {
    expect(strategyFor("networking.k8s.io/ipaddresses").validateName?.(name)).toEqual(errors);
  });
});

describe("endpoints of slices", () => {
  const slices = "discovery.k8s.io/endpointslices";
  const topology = { "kubernetes.io/hostname": "n" };
  const slice = (endpoint: object): JsonObject => ({
    metadata: { name: "s" },
    addressType: "IPv4",
    endpoints: [{ addresses: ["10.0.0.1"], ...endpoint } as unknown as JsonObject],
  });

  it("get no topology as of v1beta1", () => {
    expect(created(slices, slice({ deprecatedTopology: topology })).object).toEqual(slice({}));
  });

  it("keep it until they change, and then know their node", () => {
    const old = slice({ deprecatedTopology: topology });
    expect(updated(slices, { ...old, metadata: { name: "s", labels: { a: "b" } } }, old).object).toMatchObject(old);
    const changed = slice({ deprecatedTopology: topology, zone: "z" });
    expect(updated(slices, changed, old).object).toEqual(slice({ nodeName: "n", zone: "z" }));
    expect(updated(slices, changed, slice({})).object).toEqual(slice({ zone: "z" }));
  });
});
