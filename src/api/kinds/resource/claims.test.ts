import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../object.js";
import { created, updated, withPath } from "../testing.js";

const claims = "resource.k8s.io/resourceclaims";

function claimOf(devices: object): JsonObject {
  return { metadata: { name: "c", namespace: "d" }, spec: { devices } } as unknown as JsonObject;
}

function errorsOf(devices: object): readonly string[] {
  return created(claims, claimOf(devices)).errors;
}

const exactly = { deviceClassName: "gpu.example.com" };

describe("what a claim asks for", () => {
  it.each([
    { name: "one device", devices: { requests: [{ name: "a", exactly }] }, errors: [] },
    {
      name: "one of several, that refer to each other",
      devices: {
        requests: [
          {
            name: "a",
            firstAvailable: [
              { name: "x", ...exactly },
              { name: "y", ...exactly },
            ],
          },
        ],
        constraints: [{ requests: ["a/x", "a"], matchAttribute: "example.com/model" }],
        config: [{ requests: ["a/y"], opaque: { driver: "example.com", parameters: { a: 1 } } }],
      },
      errors: [],
    },
    {
      name: "names that there are not",
      devices: {
        requests: [{ name: "a", exactly }],
        constraints: [{ requests: ["b", "a/x", "a/b/c", "a", "a"], matchAttribute: "model" }, {}],
      },
      errors: [
        "spec.devices.constraints[0].requests[0]: Invalid value: \"b\": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'",
        "spec.devices.constraints[0].requests[1]: Invalid value: \"a/x\": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'",
        "spec.devices.constraints[0].requests[2]: Invalid value: \"a/b/c\": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'",
        'spec.devices.constraints[0].requests[4]: Duplicate value: "a"',
        'spec.devices.constraints[0].matchAttribute: Invalid value: "model": a fully qualified name must be a domain and a name separated by a slash',
        'spec.devices.constraints[1]: Required value: exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set',
      ],
    },
    {
      name: "both sorts, and a mode that there is not",
      devices: {
        requests: [
          { name: "a", exactly, firstAvailable: [{ name: "x", ...exactly }] },
          { name: "b", exactly: { ...exactly, allocationMode: "Some" } },
          { name: "c", exactly: { ...exactly, allocationMode: "All", count: 2 } },
        ],
      },
      errors: [
        "spec.devices.requests[0]: Invalid value: null: exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set",
        'spec.devices.requests[1].exactly.allocationMode: Unsupported value: "Some": supported values: "All", "ExactCount"',
        "spec.devices.requests[2].exactly.count: Invalid value: 2: must not be specified when allocationMode is 'All'",
      ],
    },
    {
      name: "tolerations",
      devices: {
        requests: [
          {
            name: "a",
            exactly: {
              ...exactly,
              tolerations: [
                { key: "k", operator: "Exists", value: "v" },
                { operator: "In", effect: "PreferNoSchedule" },
              ],
            },
          },
        ],
      },
      errors: [
        'spec.devices.requests[0].exactly.tolerations[0].value: Invalid value: "v": must be empty for operator `Exists`',
        'spec.devices.requests[0].exactly.tolerations[1].operator: Unsupported value: "In": supported values: "Equal", "Exists"',
        'spec.devices.requests[0].exactly.tolerations[1].effect: Unsupported value: "PreferNoSchedule": supported values: "NoExecute", "NoSchedule", "None"',
      ],
    },
    {
      name: "configuration that is none",
      devices: {
        requests: [{ name: "a", exactly }],
        config: [{}, { opaque: { driver: "example.com", parameters: [] } }, { opaque: { driver: "example.com" } }],
      },
      errors: [
        "spec.devices.config[0].opaque: Required value",
        'spec.devices.config[1].opaque.parameters: Invalid value: "<value omitted>": must be a valid JSON object',
        "spec.devices.config[2].opaque.parameters: Required value",
      ],
    },
    {
      name: "more than there can be",
      devices: { requests: Array.from({ length: 33 }, (_, index) => ({ name: `r${index}`, exactly: {} })) },
      errors: ["spec.devices.requests: Too many: 33: must have at most 32 items"],
    },
  ])("$name", ({ devices, errors }) => {
    expect(errorsOf(devices)).toEqual(errors);
  });

  it.each([
    { expression: 'device.driver == "a" && device.attributes["a.b"].model == "x"', error: undefined },
    { expression: 'device.capacity["a.b"].memory.compareTo(quantity("1Gi")) >= 0', error: undefined },
    { expression: 'device.attributes["a.b"].shared', error: undefined },
    { expression: "device.driver", error: /must evaluate to bool or the unknown type, not string$/ },
    { expression: "device.name == 'a'", error: /compilation failed: ERROR: <input>:1:7: undefined field 'name'/ },
    { expression: "true &&", error: /compilation failed: ERROR: <input>:1:\d+: Syntax error: / },
    { expression: `"${"x".repeat(10_240)}" == ""`, error: /Too long: may not be more than 10240 bytes$/ },
  ])("selects by an expression that answers yes or no: $expression", ({ expression, error }) => {
    const errors = errorsOf({
      requests: [{ name: "a", exactly: { ...exactly, selectors: [{ cel: { expression } }] } }],
    });
    expect(errors).toEqual(error === undefined ? [] : [expect.stringMatching(error)]);
  });

  it("stays as it is", () => {
    const claim = created(claims, claimOf({ requests: [{ name: "a", exactly }] })).object;
    const other = withPath(claim, "spec.devices.requests.0.exactly.count", 2);
    expect(updated(claims, other, claim).errors).toEqual([
      expect.stringMatching(/^spec: Invalid value: .*: field is immutable$/),
    ]);
    expect(updated(claims, withPath(claim, "metadata.labels", { a: "b" }), claim).errors).toEqual([]);
  });

  it("in a template is checked, and so are the labels of its claims", () => {
    const template = {
      spec: { metadata: { labels: { "-": "x" } }, spec: { devices: { requests: [{ name: "A", exactly }] } } },
    };
    expect(created("resource.k8s.io/resourceclaimtemplates", template).errors).toEqual([
      expect.stringMatching(/^spec\.metadata\.labels: Invalid value: "-": name part/),
      expect.stringContaining('spec.spec.devices.requests[0].name: Invalid value: "A": a lowercase RFC 1123 label'),
    ]);
  });

  it("by a class has the class's selectors, configuration and resource", () => {
    const spec = { selectors: [{}], config: [{}], extendedResourceName: "cpu" };
    expect(created("resource.k8s.io/deviceclasses", { metadata: { name: "c" }, spec }).errors).toEqual([
      "spec.selectors[0].cel: Required value",
      "spec.config[0].opaque: Required value",
      'spec.extendedResourceName: Invalid value: "cpu": must be a valid extended resource name',
    ]);
  });
});

describe("what a claim has got", () => {
  const claim = created(claims, claimOf({ requests: [{ name: "a", exactly }] })).object;
  const result = { request: "a", driver: "example.com", pool: "node-1/x", device: "gpu-0" };
  const allocation = { devices: { results: [result] } };
  const consumer = { resource: "pods", name: "p", uid: "u" };
  const device = { driver: "example.com", pool: "node-1/x", device: "gpu-0" };

  it.each([
    { name: "all of it", status: { allocation, reservedFor: [consumer], devices: [device] }, errors: [] },
    {
      name: "what was not asked for, of nobody",
      status: {
        allocation: { devices: { results: [{ ...result, request: "b", driver: "", pool: "", device: "-" }] } },
      },
      errors: [
        "status.allocation.devices.results[0].request: Invalid value: \"b\": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'",
        "status.allocation.devices.results[0].driver: Required value",
        expect.stringMatching(
          /^status\.allocation\.devices\.results\[0\]\.driver: Invalid value: "": a lowercase RFC 1123 subdomain/,
        ),
        "status.allocation.devices.results[0].pool: Required value",
        expect.stringMatching(
          /^status\.allocation\.devices\.results\[0\]\.device: Invalid value: "-": a lowercase RFC 1123 label/,
        ),
      ],
    },
    {
      name: "reservations of what is not allocated",
      status: { reservedFor: [consumer, { ...consumer, name: "" }] },
      errors: [
        "status.reservedFor[1].name: Required value",
        'status.reservedFor[1]: Duplicate value: "u"',
        "status.reservedFor: Forbidden: may not be specified when `allocated` is not set",
      ],
    },
    {
      name: "news of a device that is not the claim's",
      status: {
        allocation,
        devices: [
          { ...device, device: "gpu-1" },
          {
            ...device,
            shareID: "1",
            data: "x",
            networkData: { ips: ["10.9.8.7/24", "2001:DB8::1/64", "10.9.8.7"], interfaceName: "e".repeat(257) },
            conditions: [{ type: "Ready", status: "True", reason: "A" }],
          },
        ],
      },
      errors: [
        'status.devices[0]: Invalid value: {"Driver":{},"Pool":{},"Device":{},"ShareID":""}: must be an allocated device in the claim',
        'status.devices[1].shareID: Invalid value: "1": error validating uid: invalid UUID length: 1',
        'status.devices[1]: Invalid value: {"Driver":{},"Pool":{},"Device":{},"ShareID":"1"}: must be an allocated device in the claim',
        "status.devices[1].conditions[0].lastTransitionTime: Required value: must be set",
        'status.devices[1].data: Invalid value: "<value omitted>": must be a valid JSON object',
        "status.devices[1].networkData.interfaceName: Too long: may not be more than 256 bytes",
        'status.devices[1].networkData.ips[1]: Invalid value: "2001:DB8::1/64": must be in canonical form ("2001:db8::1/64")',
        'status.devices[1].networkData.ips[2]: Invalid value: "10.9.8.7": must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)',
      ],
    },
    {
      name: "configuration of neither claim nor class, and half of a binding",
      status: {
        allocation: {
          devices: {
            results: [{ ...result, bindingConditions: ["a"], shareID: "AAAAAAAA-aaaa-aaaa-aaaa-aaaaaaaaaaaa" }],
            config: [{ source: "FromNode", opaque: { driver: "example.com", parameters: {} } }],
          },
          nodeSelector: { nodeSelectorTerms: [] },
        },
      },
      errors: [
        "status.allocation.devices.results[0].bindingFailureConditions: Invalid value: []: bindingFailureConditions are required to use bindingConditions",
        expect.stringMatching(/results\[0\]\.shareID: Invalid value: .*: uid must be in RFC 4122 normalized form/),
        'status.allocation.devices.config[0].source: Unsupported value: "FromNode": supported values: "FromClaim", "FromClass"',
        "status.allocation.nodeSelector.nodeSelectorTerms: Required value: must have at least one node selector term",
      ],
    },
  ])("$name", ({ status, errors }) => {
    expect(updated(claims, withPath(claim, "status", status), claim, "status").errors).toEqual(errors);
  });

  it("stays allocated as it is, or not at all", () => {
    const old = withPath(claim, "status", { allocation });
    const other = withPath(claim, "status", { allocation: { devices: { results: [{ ...result, device: "b" }] } } });
    expect(updated(claims, other, old, "status").errors).toEqual([
      expect.stringMatching(/^status\.allocation: Invalid value: .*: field is immutable$/),
    ]);
    expect(updated(claims, withPath(claim, "status", {}), old, "status").errors).toEqual([]);
  });

  it("is for nobody new while the claim goes", () => {
    const going = withPath(claim, "metadata.deletionTimestamp", "2026-01-01T00:00:00Z");
    const old = withPath(going, "status", { allocation, reservedFor: [consumer, { ...consumer, uid: "v" }] });
    const fewer = withPath(going, "status", { allocation, reservedFor: [consumer] });
    const more = withPath(going, "status", { allocation, reservedFor: [consumer, { ...consumer, uid: "w" }] });
    expect(updated(claims, fewer, old, "status").errors).toEqual([]);
    expect(updated(claims, more, old, "status").errors).toEqual([
      "status.reservedFor: Forbidden: new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set",
    ]);
  });
});
