import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Container, type Pod, type ResourceClaim, resourceClaims } from "../../api/index.js";
import { type Client, createClient } from "../../client/index.js";
import { silentLogger } from "../../internal/logger.js";
import { seededRandom } from "../../internal/random.js";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { makePod } from "../../testing/builders.js";
import { FakeApi } from "../../testing/fake-api.js";
import { DynamicResources } from "./dynamic-resources.js";
import type { ClaimReference, DraPluginCalls, PreparedAnswer, PreparedDevice } from "./plugin.js";
import { PreparedClaims } from "./prepared-claims.js";

const { signal } = new AbortController();
const gpu = "gpu.example.com";
const nic = "nic.example.com";
let folder: string;
let clock: VirtualClock;
let client: Client;
let calls: string[];
let plugins: Map<string, DraPluginCalls>;
let resources: DynamicResources;

const device = (requests: readonly string[], ...ids: readonly string[]): PreparedDevice => ({
  requestNames: requests,
  poolName: "n1",
  deviceName: ids[0] ?? "none",
  cdiDeviceIds: ids,
});

/** Makes the devices of `devices` ready by the claim's name, and notes what it is asked. */
function plugin(driver: string, devices: Readonly<Record<string, readonly PreparedDevice[]>> = {}): DraPluginCalls {
  const each = <Answer>(claims: readonly ClaimReference[], answer: (name: string) => Answer): Record<string, Answer> =>
    Object.fromEntries(claims.map(({ uid, name }) => [uid, answer(name)]));
  const names = (claims: readonly ClaimReference[]): string => claims.map(({ name }) => name).join(" ");
  return {
    async prepare(claims) {
      calls.push(`${driver} prepare ${names(claims)}`);
      return each(claims, (name): PreparedAnswer => ({ devices: devices[name] ?? [], error: "" }));
    },
    async unprepare(claims) {
      calls.push(`${driver} unprepare ${names(claims)}`);
      return each(claims, () => ({ error: "" }));
    },
    connected: () => true,
    close() {},
  };
}

async function open(): Promise<DynamicResources> {
  const claims = await PreparedClaims.open(join(folder, "claims.json"), silentLogger);
  const get = (driver: string): DraPluginCalls => {
    const found = plugins.get(driver);
    if (found === undefined) throw new Error(`DRA driver ${driver} is not registered`);
    return found;
  };
  return new DynamicResources({ client, claims, plugins: { get }, clock, logger: silentLogger });
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "claims-"));
  clock = new VirtualClock();
  client = createClient(new FakeApi({ clock, random: seededRandom(3) }));
  calls = [];
  plugins = new Map();
  resources = await open();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

interface ClaimOptions {
  readonly reservedFor?: readonly Pod[];
  readonly drivers?: readonly string[];
  readonly owner?: Pod;
}

async function claim(name: string, { reservedFor = [], drivers, owner }: ClaimOptions): Promise<ResourceClaim> {
  const owners = owner && [
    { apiVersion: "v1", kind: "Pod", name: owner.metadata.name, uid: owner.metadata.uid, controller: true },
  ];
  const results = drivers?.map((driver) => ({ driver, pool: "n1", device: "d", request: "r" }));
  return client.create(resourceClaims, {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaim",
    metadata: { name, namespace: "default", ...(owners === undefined ? {} : { ownerReferences: owners }) },
    spec: {},
    status: {
      ...(results === undefined ? {} : { allocation: { devices: { results } } }),
      reservedFor: reservedFor.map(({ metadata }) => ({ resource: "pods", name: metadata.name, uid: metadata.uid })),
    },
  });
}

const podWith = (name: string, ...claims: readonly string[]): Pod =>
  makePod(name, { spec: { resourceClaims: claims.map((one) => ({ name: one, resourceClaimName: one })) } });

const container = (name: string, ...claims: readonly { name: string; request?: string }[]): Container => ({
  name,
  image: "i",
  resources: { claims },
});

test("each driver is asked once for all claims of a pod that have its devices", async () => {
  const pod = podWith("web", "a", "b", "c");
  await claim("a", { reservedFor: [pod], drivers: [gpu, gpu] });
  await claim("b", { reservedFor: [pod], drivers: [gpu, nic] });
  await claim("c", { reservedFor: [pod], drivers: [] });
  plugins.set(gpu, plugin(gpu)).set(nic, plugin(nic));
  await resources.prepare(pod, signal);
  expect(calls).toEqual([`${gpu} prepare a b`, `${nic} prepare b`]);
  await resources.prepare(pod, signal);
  expect(calls).toHaveLength(2);
});

test("containers get the devices of the claims and requests that they name, and nothing else", async () => {
  const pod = podWith("web", "a", "b");
  await claim("a", { reservedFor: [pod], drivers: [gpu] });
  await claim("b", { reservedFor: [pod], drivers: [nic] });
  const ofA = [device(["one"], "v/c=a1", "v/c=a2"), device(["two/small"], "v/c=a3"), device([], "v/c=all")];
  plugins.set(gpu, plugin(gpu, { a: ofA })).set(nic, plugin(nic, { b: [device(["x"], "v/c=b")] }));
  await resources.prepare(pod, signal);
  const given = (...claims: readonly { name: string; request?: string }[]): readonly string[] =>
    resources.cdiDevices(pod, container("main", ...claims));
  expect(given()).toEqual([]);
  expect(given({ name: "a" })).toEqual(["v/c=a1", "v/c=a2", "v/c=a3", "v/c=all"]);
  expect(given({ name: "a", request: "one" })).toEqual(["v/c=a1", "v/c=a2", "v/c=all"]);
  expect(given({ name: "a", request: "two" })).toEqual(["v/c=a3", "v/c=all"]);
  expect(given({ name: "a", request: "two/small" })).toEqual(["v/c=a3", "v/c=all"]);
  expect(given({ name: "a", request: "tw" })).toEqual(["v/c=all"]);
  expect(given({ name: "a", request: "one" }, { name: "b" })).toEqual(["v/c=a1", "v/c=a2", "v/c=all", "v/c=b"]);
});

test("extended resources that are met by a claim go to the containers that the pod's status names", async () => {
  const plain = makePod("web");
  const pod: Pod = {
    ...plain,
    status: {
      extendedResourceClaimStatus: {
        resourceClaimName: "extended",
        requestMappings: [
          { containerName: "main", resourceName: "example.com/gpu", requestName: "container-0-request-0" },
          { containerName: "none", resourceName: "example.com/gpu", requestName: "container-1-request-0" },
        ],
      },
    },
  };
  await claim("extended", { reservedFor: [pod], drivers: [gpu] });
  const devices = [device(["container-0-request-0"], "v/c=0"), device(["container-1-request-0"], "v/c=1")];
  plugins.set(gpu, plugin(gpu, { extended: devices }));
  await resources.prepare(pod, signal);
  const asking = (name: string, count: string): Container => ({
    ...container(name),
    resources: { requests: { "example.com/gpu": count } },
  });
  expect(resources.cdiDevices(pod, asking("main", "1"))).toEqual(["v/c=0"]);
  expect(resources.cdiDevices(pod, asking("main", "0"))).toEqual([]);
  expect(resources.cdiDevices(pod, asking("side", "1"))).toEqual([]);
});

test.each<{ name: string; set: () => Promise<Pod>; why: string }>([
  {
    name: "a claim that is not there",
    set: async () => podWith("web", "a"),
    why: 'fetch ResourceClaim a: resourceclaims.resource.k8s.io "a" not found',
  },
  {
    name: "a claim that is still to be made",
    set: async () => makePod("web", { spec: { resourceClaims: [{ name: "a", resourceClaimTemplateName: "t" }] } }),
    why: 'pod "default/web": ResourceClaim not created yet',
  },
  {
    name: "a claim that was made for another pod",
    async set() {
      const spec = { resourceClaims: [{ name: "a", resourceClaimTemplateName: "t" }] };
      const pod = makePod("web", { spec, status: { resourceClaimStatuses: [{ name: "a", resourceClaimName: "a" }] } });
      await claim("a", { reservedFor: [pod], drivers: [gpu], owner: makePod("other") });
      return pod;
    },
    why: "ResourceClaim default/a was not created for Pod default/web (Pod is not owner)",
  },
  {
    name: "a claim that is reserved for others",
    async set() {
      const pod = podWith("web", "a");
      await claim("a", { reservedFor: [makePod("other")], drivers: [gpu] });
      return { ...pod, metadata: { ...pod.metadata, uid: "mine" } };
    },
    why: "pod web (mine) is not allowed to use ResourceClaim a (uid-1)",
  },
  {
    name: "a claim without devices",
    async set() {
      const pod = podWith("web", "a");
      await claim("a", { reservedFor: [pod] });
      return pod;
    },
    why: "ResourceClaim a: not allocated",
  },
  {
    name: "a driver that is not there",
    async set() {
      const pod = podWith("web", "a");
      await claim("a", { reservedFor: [pod], drivers: [gpu, nic] });
      return pod;
    },
    why: `DRA driver ${nic} is not registered`,
  },
])("$name keeps a pod waiting, and nothing is to be taken back", async ({ set, why }) => {
  plugins.set(gpu, plugin(gpu));
  const pod = await set();
  await expect(resources.prepare(pod, signal)).rejects.toThrow(`prepare dynamic resources: ${why}`);
  await resources.unprepare(pod.metadata.uid, signal);
  expect(calls).toEqual([]);
});

test("a claim that the pod's status says is not needed is none", async () => {
  const spec = { resourceClaims: [{ name: "a", resourceClaimTemplateName: "t" }] };
  const pod = makePod("web", { spec, status: { resourceClaimStatuses: [{ name: "a" }] } });
  await resources.prepare(pod, signal);
  expect(resources.cdiDevices(pod, container("main", { name: "a" }))).toEqual([]);
});

test.each<{ name: string; answer: (uid: string) => Record<string, PreparedAnswer>; why: string }>([
  {
    name: "says why not",
    answer: (uid) => ({ [uid]: { devices: [], error: "out of order" } }),
    why: "NodePrepareResources failed for ResourceClaim a: out of order",
  },
  { name: "leaves a claim out", answer: () => ({}), why: "NodePrepareResources skipped 1 ResourceClaims" },
  {
    name: "answers for another claim",
    answer: () => ({ other: { devices: [], error: "" } }),
    why: "NodePrepareResources returned result for unknown claim UID other",
  },
])("a driver that $name is asked again, and what it began is taken back", async ({ answer, why }) => {
  const pod = podWith("web", "a");
  const { metadata } = await claim("a", { reservedFor: [pod], drivers: [gpu] });
  const works = plugin(gpu, { a: [device([], "v/c=a")] });
  plugins.set(gpu, { ...works, prepare: async () => answer(metadata.uid) });
  await expect(resources.prepare(pod, signal)).rejects.toThrow(`prepare dynamic resources: ${why}`);
  plugins.set(gpu, works);
  await resources.prepare(pod, signal);
  expect(resources.cdiDevices(pod, container("main", { name: "a" }))).toEqual(["v/c=a"]);
  plugins.set(gpu, { ...works, prepare: async () => answer(metadata.uid) });
  await resources.unprepare(pod.metadata.uid, signal);
  await expect(resources.prepare(pod, signal)).rejects.toThrow(why);
  await resources.unprepare(pod.metadata.uid, signal);
  expect(calls).toEqual([`${gpu} prepare a`, `${gpu} unprepare a`, `${gpu} unprepare a`]);
});

test("a claim that two pods share is prepared for the first and put back after the last", async () => {
  const [one, two, three] = [podWith("one", "a", "own"), podWith("two", "a"), podWith("three", "a")];
  await claim("a", { reservedFor: [one, two, three], drivers: [gpu] });
  await claim("own", { reservedFor: [one], drivers: [gpu] });
  plugins.set(gpu, plugin(gpu));
  await Promise.all([resources.prepare(one, signal), resources.prepare(two, signal)]);
  expect(calls.splice(0)).toEqual([`${gpu} prepare a own`]);
  await resources.unprepare(one.metadata.uid, signal);
  expect(calls.splice(0)).toEqual([`${gpu} unprepare own`]);
  // Who never had it takes it from nobody.
  await resources.unprepare(three.metadata.uid, signal);
  expect(calls).toEqual([]);
  await resources.unprepare(two.metadata.uid, signal);
  expect(calls.splice(0)).toEqual([`${gpu} unprepare a`]);
  await resources.unprepare(two.metadata.uid, signal);
  expect(calls).toEqual([]);
});

test("a claim stays prepared until its driver has put it back", async () => {
  const pod = podWith("web", "a");
  await claim("a", { reservedFor: [pod], drivers: [gpu] });
  const works = plugin(gpu);
  plugins.set(gpu, works);
  await resources.prepare(pod, signal);
  plugins.set(gpu, { ...works, unprepare: () => Promise.reject(new Error("rpc error: code = Internal desc = busy")) });
  const why = "unprepare dynamic resources: NodeUnprepareResources: rpc error: code = Internal desc = busy";
  await expect(resources.unprepare(pod.metadata.uid, signal)).rejects.toThrow(why);
  plugins.delete(gpu);
  await expect(resources.unprepare(pod.metadata.uid, signal)).rejects.toThrow(`DRA driver ${gpu} is not registered`);
  plugins.set(gpu, works);
  await resources.unprepare(pod.metadata.uid, signal);
  expect(calls).toEqual([`${gpu} prepare a`, `${gpu} unprepare a`]);
});

test("another claim of the same name waits until the one before is put back", async () => {
  const pod = podWith("web", "a");
  const before = await claim("a", { reservedFor: [pod], drivers: [gpu] });
  plugins.set(gpu, plugin(gpu));
  await resources.prepare(pod, signal);
  await client.delete(resourceClaims, { namespace: "default", name: "a" });
  const next = { ...podWith("web", "a"), metadata: { ...pod.metadata, uid: "next" } };
  await claim("a", { reservedFor: [next], drivers: [gpu] });
  await expect(resources.prepare(next, signal)).rejects.toThrow(
    `old ResourceClaim with same name a and different UID ${before.metadata.uid} still exists (previous pod force-deleted?!)`,
  );
  await resources.unprepare(pod.metadata.uid, signal);
  await resources.prepare(next, signal);
});

test("what was prepared outlives the agent, and what pods had that vanished meanwhile is put back once its driver is there", async () => {
  const [stays, goes] = [podWith("stays", "a"), podWith("goes", "b")];
  await claim("a", { reservedFor: [stays], drivers: [gpu] });
  await claim("b", { reservedFor: [goes], drivers: [gpu] });
  plugins.set(gpu, plugin(gpu, { a: [device([], "v/c=a")] }));
  for (const pod of [stays, goes]) await resources.prepare(pod, signal);
  calls.length = 0;
  plugins.delete(gpu);
  resources = await open();
  expect(resources.cdiDevices(stays, container("main", { name: "a" }))).toEqual(["v/c=a"]);
  const stop = new AbortController();
  const running = resources.run(stop.signal, (uid) => uid === stays.metadata.uid);
  await clock.advance(1000);
  plugins.set(gpu, plugin(gpu));
  await clock.advance(60_000);
  stop.abort();
  await running;
  expect(calls).toEqual([`${gpu} unprepare b`]);
});

test("what cannot be read is begun anew, and a container that was promised something of it does not start without", async () => {
  const pod = podWith("web", "a");
  await writeFile(join(folder, "claims.json"), '{"claims":');
  resources = await open();
  expect(() => resources.cdiDevices(pod, container("main", { name: "a" }))).toThrow(
    "unable to get claim info for ResourceClaim a in namespace default",
  );
});
