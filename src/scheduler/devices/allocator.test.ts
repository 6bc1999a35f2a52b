import { describe, expect, test } from "vitest";
import type { Device, DeviceClaim, DeviceClass, DeviceRequest, ResourceClaim, ResourceSlice } from "../../api/index.js";
import { makeMeta, makeNode } from "../../testing/builders.js";
import { allocate } from "./allocator.js";
import { devicePools, devicesOn } from "./device-pools.js";
import { DeviceSelectors } from "./device-selectors.js";

const driver = "gpu.example.com";
const node = makeNode("one", { labels: { rack: "r1" } });

function gpu(name: string, more: Partial<Device> = {}): Device {
  const attributes = { model: { string: "a100" }, numa: { int: 0 }, driverVersion: { version: "1.10.0" } };
  return { name, attributes, capacity: { memory: { value: "40Gi" } }, ...more };
}

function slice(devices: readonly Device[], spec: Partial<ResourceSlice["spec"]> = {}): ResourceSlice {
  const pool = { name: "pool", generation: 1, resourceSliceCount: 1 };
  return {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceSlice",
    metadata: makeMeta("ResourceSlice", "slice"),
    spec: { driver, pool, nodeName: "one", devices, ...spec },
  };
}

function claim(requests: readonly DeviceRequest[], more: Omit<DeviceClaim, "requests"> = {}): ResourceClaim {
  return {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaim",
    metadata: makeMeta("ResourceClaim", "claim", { namespace: "default" }),
    spec: { devices: { requests, ...more } },
  };
}

const classes: Readonly<Record<string, DeviceClass>> = {
  gpu: {
    apiVersion: "resource.k8s.io/v1",
    kind: "DeviceClass",
    metadata: makeMeta("DeviceClass", "gpu"),
    spec: {
      selectors: [{ cel: { expression: `device.driver == "${driver}"` } }],
      config: [{ opaque: { driver, parameters: { from: "class" } } }],
    },
  },
};

type Asked = NonNullable<DeviceRequest["exactly"]>;
const exactly = (name: string, asked: Partial<Asked> = {}): DeviceRequest => ({
  name,
  exactly: { deviceClassName: "gpu", ...asked },
});
const where = (expression: string) => ({ selectors: [{ cel: { expression } }] });
const numa = (cell: number): Pick<Device, "attributes"> => ({ attributes: { numa: { int: cell } } });

function devicesFor(
  claims: readonly ResourceClaim[],
  slices: readonly ResourceSlice[],
  taken: readonly string[] = [],
): readonly string[] | undefined {
  const results = allocate(claims, {
    devices: devicesOn(node, devicePools(slices)),
    classes: (name) => classes[name],
    selectors: new DeviceSelectors(),
    taken: new Set(taken.map((name) => `${driver}/pool/${name}`)),
  });
  return results?.flatMap(({ devices }) =>
    (devices?.results ?? []).map(({ request, device }) => `${request}=${device}`),
  );
}

describe("allocate", () => {
  const three = [gpu("a"), gpu("b"), gpu("c")];
  const cases: readonly {
    name: string;
    claims: readonly ResourceClaim[];
    slices?: readonly ResourceSlice[];
    taken?: readonly string[];
    expected: readonly string[] | undefined;
  }[] = [
    { name: "takes the first device", claims: [claim([exactly("r")])], expected: ["r=a"] },
    { name: "leaves what others have", claims: [claim([exactly("r")])], taken: ["a", "b"], expected: ["r=c"] },
    { name: "takes as many as asked", claims: [claim([exactly("r", { count: 2 })])], expected: ["r=a", "r=b"] },
    { name: "finds none when there are too few", claims: [claim([exactly("r", { count: 4 })])], expected: undefined },
    {
      name: "gives each request of each claim its own",
      claims: [claim([exactly("r"), exactly("s")]), claim([exactly("t")])],
      expected: ["r=a", "s=b", "t=c"],
    },
    {
      name: "takes all, or none when one is taken",
      claims: [claim([exactly("r", { allocationMode: "All" })])],
      taken: ["b"],
      expected: undefined,
    },
    {
      name: "takes all",
      claims: [claim([exactly("r", { allocationMode: "All" })])],
      expected: ["r=a", "r=b", "r=c"],
    },
    {
      name: "shares with administrators",
      claims: [claim([exactly("r", { adminAccess: true })])],
      taken: ["a", "b", "c"],
      expected: ["r=a"],
    },
    {
      name: "chooses by attribute, version and capacity",
      claims: [
        claim([
          exactly(
            "r",
            where(
              `device.attributes["${driver}"].model == "h100" && device.attributes["${driver}"].driverVersion.isGreaterThan(semver("1.9.0")) && device.capacity["${driver}"].memory.compareTo(quantity("60Gi")) >= 0`,
            ),
          ),
        ]),
      ],
      slices: [
        slice([
          gpu("a"),
          gpu("old", { attributes: { model: { string: "h100" }, driverVersion: { version: "1.8.0" } } }),
          gpu("h", {
            attributes: { model: { string: "h100" }, driverVersion: { version: "1.10.0" } },
            capacity: { memory: { value: "80Gi" } },
          }),
        ]),
      ],
      expected: ["r=h"],
    },
    {
      name: "knows nothing of other domains",
      claims: [claim([exactly("r", where('"model" in device.attributes["other.example.com"]'))])],
      expected: undefined,
    },
    {
      name: "tries alternatives in order",
      claims: [
        claim([
          {
            name: "r",
            firstAvailable: [
              { name: "best", deviceClassName: "gpu", count: 5 },
              { name: "good", deviceClassName: "gpu", count: 2 },
            ],
          },
        ]),
      ],
      expected: ["r/good=a", "r/good=b"],
    },
    {
      name: "goes back when a constraint cannot be kept",
      claims: [claim([exactly("r"), exactly("s")], { constraints: [{ matchAttribute: `${driver}/numa` }] })],
      slices: [slice([gpu("a", numa(0)), gpu("b", numa(1)), gpu("c", numa(1))])],
      expected: ["r=b", "s=c"],
    },
    {
      name: "keeps devices apart by an attribute",
      claims: [claim([exactly("r", { count: 2 })], { constraints: [{ distinctAttribute: `${driver}/numa` }] })],
      slices: [slice([gpu("a", numa(0)), gpu("b", numa(0)), gpu("c", numa(1))])],
      expected: ["r=a", "r=c"],
    },
    {
      name: "passes by tainted devices that are not tolerated",
      claims: [claim([exactly("r"), exactly("s", { tolerations: [{ key: "sick", operator: "Exists" }] })])],
      slices: [slice([gpu("a", { taints: [{ key: "sick", effect: "NoSchedule" }] }), gpu("b")])],
      expected: ["r=b", "s=a"],
    },
    {
      name: "does not take more parts of a whole than there are",
      claims: [claim([exactly("r", { count: 2 })])],
      slices: [
        slice(
          ["a", "b", "c"].map((name, index) =>
            gpu(name, {
              consumesCounters: [
                { counterSet: "card", counters: { memory: { value: index === 1 ? "30Gi" : "20Gi" } } },
              ],
            }),
          ),
          { sharedCounters: [{ name: "card", counters: { memory: { value: "40Gi" } } }] },
        ),
      ],
      expected: ["r=a", "r=c"],
    },
    {
      name: "looks at the newest generation of a pool only",
      claims: [claim([exactly("r")])],
      slices: [
        slice([gpu("old")], { pool: { name: "pool", generation: 1, resourceSliceCount: 1 } }),
        slice([gpu("new")], { pool: { name: "pool", generation: 2, resourceSliceCount: 1 } }),
      ],
      expected: ["r=new"],
    },
    {
      name: "takes no part of what is not known in full for all of it",
      claims: [claim([exactly("r", { allocationMode: "All" })])],
      slices: [slice([gpu("a")], { pool: { name: "pool", generation: 1, resourceSliceCount: 2 } })],
      expected: undefined,
    },
  ];
  test.each(cases)("$name", ({ claims, slices = [slice(three)], taken, expected }) => {
    expect(devicesFor(claims, slices, taken)).toEqual(expected);
  });

  test("says where the devices can be reached, and how they are to be set up", () => {
    const { nodeName: _, ...near } = slice([gpu("b")]).spec;
    const nodeSelector = {
      nodeSelectorTerms: [{ matchExpressions: [{ key: "rack", operator: "In", values: ["r1"] }] }],
    };
    const slices = [
      slice([gpu("a")], { pool: { name: "here", generation: 1, resourceSliceCount: 1 } }),
      { ...slice([]), spec: { ...near, nodeSelector, pool: { name: "near", generation: 1, resourceSliceCount: 1 } } },
    ];
    const config = [
      { requests: ["r"], opaque: { driver, parameters: { from: "claim" } } },
      { requests: ["other"], opaque: { driver, parameters: {} } },
    ];
    const [result] =
      allocate([claim([exactly("r", { count: 2 })], { config })], {
        devices: devicesOn(node, devicePools(slices)),
        classes: (name) => classes[name],
        selectors: new DeviceSelectors(),
        taken: new Set(),
      }) ?? [];
    expect(result?.nodeSelector).toEqual({
      nodeSelectorTerms: [
        {
          matchExpressions: [{ key: "rack", operator: "In", values: ["r1"] }],
          matchFields: [{ key: "metadata.name", operator: "In", values: ["one"] }],
        },
      ],
    });
    expect(result?.devices?.config).toEqual([
      { source: "FromClass", requests: ["r"], opaque: { driver, parameters: { from: "class" } } },
      { source: "FromClaim", requests: ["r"], opaque: { driver, parameters: { from: "claim" } } },
    ]);
  });

  test("fails with the expression that failed", () => {
    const broken = claim([exactly("r", where(`device.attributes["${driver}"].missing == 1`))]);
    expect(() => devicesFor([broken], [slice(three)])).toThrow(/^CEL expression "device\.attributes/);
    expect(() => devicesFor([claim([exactly("r", where("1 +"))])], [slice(three)])).toThrow("Syntax error");
  });

  test("ends, however many ways there are to fail", () => {
    const many = Array.from({ length: 30 }, (_, index) => gpu(`g${index}`, numa(index % 2)));
    const all = claim([exactly("r", { count: 16 })], { constraints: [{ matchAttribute: `${driver}/numa` }] });
    expect(devicesFor([all], [slice(many)])).toBeUndefined();
  });
});
