import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../object.js";
import { created, updated, withPath } from "../testing.js";

const slices = "resource.k8s.io/resourceslices";
const base = { driver: "example.com", pool: { name: "p", resourceSliceCount: 1 }, nodeName: "n" };

function sliceOf(spec: object): JsonObject {
  return { metadata: { name: "s" }, spec: { ...base, ...spec } } as unknown as JsonObject;
}

interface Row {
  readonly name: string;
  readonly spec: object;
  readonly errors: readonly unknown[];
}

const rows: readonly Row[] = [
  { name: "no devices", spec: {}, errors: [] },
  {
    name: "no driver, no pool, nowhere",
    spec: { driver: "", pool: { name: "a//b", generation: -1 }, nodeName: "", allNodes: false },
    errors: [
      "spec.driver: Required value",
      expect.stringMatching(/^spec\.driver: Invalid value: ""/),
      expect.stringMatching(/^spec\.pool\.name: Invalid value: "": a lowercase RFC 1123 subdomain/),
      "spec.pool.resourceSliceCount: Invalid value: 0: must be greater than zero",
      "spec.pool.generation: Invalid value: -1: must be greater than or equal to zero",
      'spec.nodeName: Invalid value: "": must be either unset or set to a non-empty string',
      "spec.allNodes: Invalid value: false: must be either unset or set to true",
      "spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required",
    ],
  },
  {
    name: "in two places, and counters beside devices",
    spec: { allNodes: true, devices: [], sharedCounters: [{ name: "c", counters: { a: { value: "1" } } }] },
    errors: [
      'spec: Invalid value: "{`nodeName`, `allNodes`}": exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required, but multiple fields are set',
      'spec: Invalid value: "": only one of `sharedCounters` or `devices` is allowed',
    ],
  },
  {
    name: "a choice of nodes that cannot be joined with others",
    spec: { nodeName: undefined, nodeSelector: { nodeSelectorTerms: [{}, {}] } },
    errors: ["spec.nodeSelector.nodeSelectorTerms: Invalid value: [{},{}]: must have exactly one node selector term"],
  },
  {
    name: "counters",
    spec: { sharedCounters: [{ counters: { A: { value: "1" } } }, { name: "b" }] },
    errors: [
      "spec.sharedCounters[0].name: Required value",
      expect.stringMatching(
        /^spec\.sharedCounters\[0\]\.counters\[A\]: Invalid value: "A": a lowercase RFC 1123 label/,
      ),
      "spec.sharedCounters[1].counters: Required value",
    ],
  },
  {
    name: "attributes",
    spec: {
      devices: [
        {
          name: "d",
          attributes: {
            good: { bool: true },
            "1bad": { int: 1 },
            "a.b/": { string: "x".repeat(65) },
            none: {},
            two: { int: 1, string: "a" },
            version: { version: "01.0.0" },
          },
        },
      ],
    },
    errors: [
      expect.stringMatching(/^spec\.devices\[0\]\.attributes\[1bad\]: Invalid value: "1bad": a valid C identifier/),
      'spec.devices[0].attributes[a.b/]: Invalid value: "": the name must not be empty',
      "spec.devices[0].attributes[a.b/].string: Too long: may not be more than 64 bytes",
      'spec.devices[0].attributes[none]: Invalid value: "": exactly one value must be specified',
      'spec.devices[0].attributes[two]: Invalid value: {"int":1,"string":"a"}: exactly one value must be specified',
      'spec.devices[0].attributes[version].version: Invalid value: "01.0.0": must be a string compatible with semver.org spec 2.0.0',
    ],
  },
  {
    name: "devices twice, with taints and counters",
    spec: {
      devices: [
        { name: "d", taints: [{ key: "k", effect: "Some" }, { effect: "None" }] },
        { name: "d", consumesCounters: [{ counterSet: "c" }, { counterSet: "c", counters: { a: { value: "1" } } }] },
      ],
    },
    errors: [
      'spec.devices[0].taints[0].effect: Unsupported value: "Some": supported values: "NoExecute", "NoSchedule", "None"',
      'spec.devices[0].taints[1].key: Invalid value: "": name part must be non-empty',
      expect.stringMatching(/^spec\.devices\[0\]\.taints\[1\]\.key: Invalid value: "": name part must consist/),
      "spec.devices[1].consumesCounters[0].counters: Required value",
      'spec.devices[1].consumesCounters[1]: Duplicate value: "c"',
      'spec.devices[1]: Duplicate value: "d"',
    ],
  },
  {
    name: "devices that say where they are without leave",
    spec: { devices: [{ name: "d", allNodes: true }] },
    errors: [
      "spec.devices[0]: Invalid value: null: `nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec",
    ],
  },
  {
    name: "devices that must say where they are",
    spec: {
      nodeName: undefined,
      perDeviceNodeSelection: true,
      devices: [{ name: "a" }, { name: "b", nodeName: "n" }, { name: "c", nodeName: "n", allNodes: true }],
    },
    errors: [
      "spec.devices[0]: Required value: exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec",
      'spec.devices[2]: Invalid value: "{`nodeName`, `allNodes`}": exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec',
    ],
  },
  {
    name: "capacity that is not shared, and bindings that say the same twice",
    spec: {
      devices: [
        {
          name: "d",
          capacity: { memory: { value: "1Gi", requestPolicy: { default: "1Mi" } } },
          bindingConditions: ["a", "a"],
          bindingFailureConditions: ["a"],
        },
      ],
    },
    errors: [
      "spec.devices[0].capacity[memory].requestPolicy: Forbidden: allowMultipleAllocations must be true",
      'spec.devices[0].bindingConditions[1]: Duplicate value: "a"',
      'spec.devices[0].bindingFailureConditions[0]: Invalid value: "a": bindingFailureConditions must not overlap with bindingConditions',
    ],
  },
  {
    name: "as many devices as go with taints",
    spec: {
      devices: Array.from({ length: 65 }, (_, index) => ({
        name: `d${index}`,
        taints: [{ key: "k", effect: "None" }],
      })),
    },
    errors: ["spec.devices: Too many: 65: must have at most 64 items"],
  },
];

describe("slices of resources", () => {
  it.each(rows)("have $name", ({ spec, errors }) => {
    expect(created(slices, sliceOf(spec)).errors).toEqual(errors);
  });

  const policies: readonly { readonly name: string; readonly policy: object; readonly errors: readonly string[] }[] = [
    { name: "a range", policy: { default: "2", validRange: { min: "1", max: "7", step: "1" } }, errors: [] },
    { name: "values", policy: { default: "2", validValues: ["1", "2"] }, errors: [] },
    {
      name: "both",
      policy: { default: "2", validValues: ["2"], validRange: { min: "1" } },
      errors: [
        ': Forbidden: exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time',
      ],
    },
    {
      name: "no default",
      policy: { validValues: ["2"] },
      errors: [".default: Required value: required when validValues is defined"],
    },
    {
      name: "values that do not fit",
      policy: { default: "3", validValues: ["2", "1", "9"] },
      errors: [
        '.validValues[1]: Invalid value: "1": values must be sorted in ascending order',
        '.validValues[2]: Invalid value: "9": option is larger than capacity value: 8',
        '.validValues: Invalid value: "3": default value is not valid according to the requestPolicy',
      ],
    },
    {
      name: "a range that does not fit",
      policy: { default: "10", validRange: { min: "3", max: "9", step: "6" } },
      errors: [
        '.validRange.max: Invalid value: "9": max is larger than capacity value: 8',
        '.validRange.max: Invalid value: "10": default is more than max: 9',
        '.validRange.step: Invalid value: "6": one step 9 is larger than capacity value: 8',
        '.validRange.step: Invalid value: "10": value is not a multiple of a given step (6) from (3)',
      ],
    },
  ];
  it.each(policies)("share a capacity by a policy: $name", ({ policy, errors }) => {
    const device = {
      name: "d",
      allowMultipleAllocations: true,
      capacity: { x: { value: "8", requestPolicy: policy } },
    };
    const path = "spec.devices[0].capacity[x].requestPolicy";
    expect(created(slices, sliceOf({ devices: [device] })).errors).toEqual(errors.map((error) => path + error));
  });

  it("stay in their place, and keep taints that are there", () => {
    const old = sliceOf({
      devices: [{ name: "d", taints: [{ key: "k", effect: "Old", timeAdded: "2026-01-01T00:00:00Z" }] }],
    });
    expect(updated(slices, old, old).errors).toEqual([]);
    expect(updated(slices, withPath(old, "spec.pool.name", "q"), old).errors).toEqual([
      'spec.pool.name: Invalid value: "q": field is immutable',
    ]);
  });
});
