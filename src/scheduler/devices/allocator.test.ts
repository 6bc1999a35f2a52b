import { describe, expect, test } from "vitest";
import type {
  AllocationResult,
  Device,
  DeviceClaim,
  DeviceClass,
  DeviceRequest,
  ResourceClaim,
  ResourceSlice,
} from "../../api/index.js";
import { parseQuantity } from "../../api/quantity.js";
import { makeMeta, makeNode } from "../../testing/builders.js";
import { allocate } from "./allocator.js";
import type { Capacities } from "./capacity.js";
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

const plain = classes["gpu"];
if (plain !== undefined) Object.assign(classes, { plain: { ...plain, spec: {} } });

type Asked = NonNullable<DeviceRequest["exactly"]>;
const exactly = (name: string, asked: Partial<Asked> = {}): DeviceRequest => ({
  name,
  exactly: { deviceClassName: "gpu", ...asked },
});
const where = (expression: string) => ({ selectors: [{ cel: { expression } }] });
const numa = (cell: number): Pick<Device, "attributes"> => ({ attributes: { numa: { int: cell } } });

const part: Partial<Device> = { consumesCounters: [{ counterSet: "card", counters: { memory: { value: "20Gi" } } }] };
const perDevice = { nodeName: undefined, perDeviceNodeSelection: true } as unknown as Partial<ResourceSlice["spec"]>;
const onNode =
  (names: readonly string[]) =>
  (device: Device, index: number): Device => ({ ...device, nodeName: names[index] ?? "" });

function resultsFor(
  claims: readonly ResourceClaim[],
  slices: readonly ResourceSlice[],
  taken: readonly string[] = [],
  shares: Readonly<Record<string, readonly Readonly<Record<string, string>>[]>> = {},
): readonly AllocationResult[] | undefined {
  let share = 0;
  const id = (name: string): string => `${driver}/pool/${name}`;
  const amounts = (all: Readonly<Record<string, string>>): Capacities =>
    new Map(Object.entries(all).map(([name, amount]) => [name, parseQuantity(amount)]));
  return allocate(claims, {
    devices: devicesOn(node, devicePools(slices)),
    classes: (name) => classes[name],
    selectors: new DeviceSelectors(),
    taken: {
      whole: new Set(taken.map(id)),
      shares: new Map(Object.entries(shares).map(([name, each]) => [id(name), each.map(amounts)])),
    },
    nodeName: "one",
    shareId: () => `share-${++share}`,
  });
}

function devicesFor(...args: Parameters<typeof resultsFor>): readonly string[] | undefined {
  return resultsFor(...args)?.flatMap(({ devices }) =>
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
      name: "asks no expression about a device that is taken",
      claims: [claim([exactly("r", where(`device.attributes["${driver}"].numa == 1`))])],
      slices: [slice([gpu("a", { attributes: {} }), gpu("b", numa(1))])],
      taken: ["a"],
      expected: ["r=b"],
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
      name: "takes no part of what is not known in full",
      claims: [claim([exactly("r")])],
      slices: [slice([gpu("a")], { pool: { name: "pool", generation: 1, resourceSliceCount: 2 } })],
      expected: undefined,
    },
    {
      name: "takes no part of a pool in which two devices have one name",
      claims: [claim([exactly("r")])],
      slices: [slice([gpu("a"), gpu("a")])],
      expected: undefined,
    },
    {
      name: "takes devices that have to be made ready when there are no others",
      claims: [claim([exactly("r"), exactly("s")])],
      slices: [
        slice([gpu("far", { bindingConditions: ["Attached"], bindingFailureConditions: ["Broken"] })], {
          pool: { name: "a", generation: 1, resourceSliceCount: 1 },
        }),
        slice([gpu("near")], { pool: { name: "b", generation: 1, resourceSliceCount: 1 } }),
      ],
      expected: ["r=near", "s=far"],
    },
    {
      name: "does not take more for one claim than its status has room for",
      claims: [claim([exactly("r", { count: 20 }), exactly("s", { count: 13 })])],
      slices: [slice(Array.from({ length: 40 }, (_, index) => gpu(`g${index}`)))],
      expected: undefined,
    },
    {
      name: "counts what devices of other nodes have of the whole",
      claims: [claim([exactly("r")])],
      slices: [
        slice([gpu("a", part), gpu("far", part)].map(onNode(["one", "two"])), {
          ...perDevice,
          sharedCounters: [{ name: "card", counters: { memory: { value: "20Gi" } } }],
        }),
      ],
      taken: ["far"],
      expected: undefined,
    },
    {
      name: "chooses by how much of a capacity is wanted",
      claims: [claim([exactly("r", { capacity: { requests: { memory: "60Gi" } } })])],
      slices: [slice([gpu("a"), gpu("b", { capacity: { memory: { value: "80Gi" } } })])],
      expected: ["r=b"],
    },
    {
      name: "passes by devices without a capacity that is wanted",
      claims: [claim([exactly("r", { capacity: { requests: { bandwidth: "1" } } })])],
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
    const wish = claim([exactly("r", { count: 2 })], { config });
    const onlyHere = { matchFields: [{ key: "metadata.name", operator: "In", values: ["one"] }] };
    const [result] = resultsFor([wish], slices) ?? [];
    expect(result?.nodeSelector).toEqual({ nodeSelectorTerms: [onlyHere] });
    // It is about all requests there are, so none is named.
    expect(result?.devices?.config).toEqual([
      { source: "FromClass", opaque: { driver, parameters: { from: "class" } } },
      { source: "FromClaim", opaque: { driver, parameters: { from: "claim" } } },
    ]);
    const [shared] = resultsFor([claim([exactly("r")])], slices.slice(1)) ?? [];
    expect(shared?.nodeSelector).toEqual(nodeSelector);
    const bound = { ...near, nodeSelector, devices: [gpu("b", { bindsToNode: true })] };
    const [fixed] = resultsFor([claim([exactly("r")])], [{ ...slice([]), spec: bound }]) ?? [];
    expect(fixed?.nodeSelector).toEqual({ nodeSelectorTerms: [onlyHere] });
  });

  test("says of each class once how its devices are to be set up, and for which requests", () => {
    const request: DeviceRequest = { name: "x", firstAvailable: [{ name: "y", deviceClassName: "plain" }] };
    const [result] = resultsFor([claim([exactly("r"), exactly("s"), request])], [slice(three)]) ?? [];
    expect(result?.devices?.config).toEqual([
      { source: "FromClass", requests: ["r", "s"], opaque: { driver, parameters: { from: "class" } } },
    ]);
  });

  test("hands on what has to be true before the pod may be bound", () => {
    const conditions = { bindingConditions: ["Attached"], bindingFailureConditions: ["Broken"] };
    const [result] = resultsFor([claim([exactly("r")])], [slice([gpu("a", conditions)])]) ?? [];
    expect(result?.devices?.results).toEqual([{ request: "r", driver, pool: "pool", device: "a", ...conditions }]);
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

describe("devices that several may have", () => {
  const policy = { default: "1Gi", validRange: { min: "2Gi", step: "2Gi", max: "8Gi" } };
  const shared = (name: string, capacity: Device["capacity"] = { memory: { value: "10Gi", requestPolicy: policy } }) =>
    gpu(name, { allowMultipleAllocations: true, ...(capacity === undefined ? {} : { capacity }) });
  const asking = (memory?: string): DeviceRequest =>
    exactly("r", memory === undefined ? {} : { capacity: { requests: { memory } } });

  test.each<{
    name: string;
    device: Device;
    memory?: string;
    others?: readonly string[];
    consumed: string | undefined;
  }>([
    { name: "without a wish, what the policy has for that", device: shared("a"), consumed: "1Gi" },
    { name: "less than the least is the least", device: shared("a"), memory: "1Gi", consumed: "2Gi" },
    { name: "in whole steps from there", device: shared("a"), memory: "5Gi", consumed: "6Gi" },
    { name: "no more than the most", device: shared("a"), memory: "9Gi", consumed: undefined },
    { name: "beside what others have", device: shared("a"), memory: "4Gi", others: ["2Gi", "4Gi"], consumed: "4Gi" },
    {
      name: "not more than that leaves",
      device: shared("a"),
      memory: "5Gi",
      others: ["2Gi", "4Gi"],
      consumed: undefined,
    },
    { name: "without a policy, all of it", device: shared("a", { memory: { value: "10Gi" } }), consumed: "10Gi" },
    { name: "or what is asked for", device: shared("a", { memory: { value: "10Gi" } }), memory: "3", consumed: "3" },
    {
      name: "the next of the values that there are",
      device: shared("a", {
        memory: { value: "10Gi", requestPolicy: { default: "1Gi", validValues: ["1Gi", "4Gi"] } },
      }),
      memory: "2Gi",
      consumed: "4Gi",
    },
    {
      name: "and not more than the highest of them",
      device: shared("a", {
        memory: { value: "10Gi", requestPolicy: { default: "1Gi", validValues: ["1Gi", "4Gi"] } },
      }),
      memory: "5Gi",
      consumed: undefined,
    },
  ])("$name", ({ device, memory, others = [], consumed }) => {
    const shares = { a: others.map((amount) => ({ memory: amount })) };
    const results = resultsFor([claim([asking(memory)])], [slice([device])], [], shares);
    const one = { request: "r", driver, pool: "pool", device: "a", shareID: "share-1" };
    expect(results?.[0]?.devices?.results).toEqual(
      consumed === undefined ? undefined : [{ ...one, consumedCapacity: { memory: consumed } }],
    );
  });

  test("the requests of one claim share it, the devices of one request do not", () => {
    const slices = [slice([shared("a"), shared("b")])];
    expect(devicesFor([claim([exactly("r"), exactly("s")])], slices)).toEqual(["r=a", "s=a"]);
    expect(devicesFor([claim([exactly("r", { count: 2 })])], slices)).toEqual(["r=a", "r=b"]);
    expect(devicesFor([claim([exactly("r", { count: 3 })])], slices)).toBeUndefined();
  });

  test("all of them are those that have enough left", () => {
    const all = exactly("r", { allocationMode: "All", capacity: { requests: { memory: "6Gi" } } });
    const shares = { a: [{ memory: "6Gi" }] };
    expect(devicesFor([claim([all])], [slice([shared("a"), shared("b")])], [], shares)).toEqual(["r=b"]);
  });

  test("who shares a part of a whole takes no more of the whole", () => {
    const whole = { sharedCounters: [{ name: "card", counters: { memory: { value: "20Gi" } } }] };
    const slices = [slice([{ ...shared("a"), ...part }, gpu("b", part)], whole)];
    expect(devicesFor([claim([exactly("r")])], slices, [], { a: [{ memory: "2Gi" }] })).toEqual(["r=a"]);
    expect(devicesFor([claim([exactly("r", where("!device.allowMultipleAllocations"))])], slices)).toEqual(["r=b"]);
    const second = claim([exactly("r"), exactly("s", where("!device.allowMultipleAllocations"))]);
    expect(devicesFor([second], slices)).toBeUndefined();
  });
});
