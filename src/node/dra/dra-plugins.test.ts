import { beforeEach, expect, test } from "vitest";
import { statusErrors } from "../../api/index.js";
import { createClient } from "../../client/index.js";
import { silentLogger } from "../../internal/logger.js";
import { seededRandom } from "../../internal/random.js";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { FakeApi } from "../../testing/fake-api.js";
import { DraPlugins } from "./dra-plugins.js";

const driver = "gpu.example.com";
let clock: VirtualClock;
let api: FakeApi;
let plugins: DraPlugins;
/** Endpoints at which nobody is. */
let silent: Set<string>;
let closed: string[];
/** By endpoint, so that tests see whom they got. */
let connected: Map<string, unknown>;

beforeEach(() => {
  clock = new VirtualClock();
  api = new FakeApi({ clock, random: seededRandom(3) });
  silent = new Set();
  closed = [];
  connected = new Map();
  plugins = new DraPlugins({
    ...{ client: createClient(api), nodeName: "n1", clock, logger: silentLogger },
    async connect(endpoint, service) {
      const calls = {
        prepare: async () => ({}),
        unprepare: async () => ({}),
        connected: () => !silent.has(endpoint),
        close: () => void closed.push(endpoint),
      };
      connected.set(`${endpoint} ${service}`, calls);
      return calls;
    },
  });
});

const register = (endpoint: string, versions: readonly string[] = ["v1.DRAPlugin"]): Promise<void> =>
  plugins.register({ type: "DRAPlugin", name: driver, endpoint, supportedVersions: versions }, `${endpoint}-reg`);

/** What was deleted since last asked. */
function wiped(): readonly unknown[] {
  const found = api.requests.splice(0).filter(({ verb }) => verb === "deletecollection");
  return found.map(({ options }) => (options as { readonly fieldSelector?: string }).fieldSelector);
}

test("a plugin is called by the first of its versions that is known", async () => {
  await register("a", ["v2.DRAPlugin", "v1beta1.DRAPlugin", "v1.DRAPlugin"]);
  expect([...connected.keys()]).toEqual(["a v1beta1.DRAPlugin"]);
  await expect(register("b", [])).rejects.toThrow(
    `RegisterPlugin error -- plugin validation failed with err: invalid supported gRPC versions of DRA driver plugin ${driver} at endpoint b: empty list of supported gRPC services (aka supported versions)`,
  );
  await expect(register("a")).rejects.toThrow(
    `RegisterPlugin error -- plugin registration failed with err: endpoint a already registered for DRA driver plugin ${driver}`,
  );
});

test("of several plugins of a driver the newest that answers counts, and else the newest", async () => {
  expect(() => plugins.get(driver)).toThrow(`DRA driver ${driver} is not registered`);
  for (const endpoint of ["a", "b", "c"]) await register(endpoint);
  const of = (endpoint: string): unknown => connected.get(`${endpoint} v1.DRAPlugin`);
  expect(plugins.get(driver)).toBe(of("c"));
  silent.add("c");
  expect(plugins.get(driver)).toBe(of("b"));
  for (const endpoint of ["a", "b"]) silent.add(endpoint);
  expect(plugins.get(driver)).toBe(of("c"));
  plugins.deregister("c-reg");
  expect(plugins.get(driver)).toBe(of("b"));
  expect(closed).toEqual(["c"]);
  plugins.close();
  expect(closed).toEqual(["c", "a", "b"]);
});

test("ResourceSlices of the node go when it starts, and those of a driver when it was away for 30 s, once", async () => {
  const stop = new AbortController();
  await register("a");
  const running = plugins.run(stop.signal);
  await clock.advance(60_000);
  expect(wiped()).toEqual(["spec.nodeName=n1"]);
  // A restart is short.
  silent.add("a");
  await clock.advance(29_000);
  silent.delete("a");
  await clock.advance(10_000);
  expect(wiped()).toEqual([]);
  silent.add("a");
  await clock.advance(29_000);
  expect(wiped()).toEqual([]);
  await clock.advance(3_000);
  expect(wiped()).toEqual([`spec.nodeName=n1,spec.driver=${driver}`]);
  // That it goes altogether changes nothing; that it is back begins anew.
  plugins.deregister("a-reg");
  await clock.advance(120_000);
  expect(wiped()).toEqual([]);
  silent.delete("a");
  await register("a");
  await clock.advance(2_000);
  plugins.deregister("a-reg");
  await clock.advance(32_000);
  expect(wiped()).toEqual([`spec.nodeName=n1,spec.driver=${driver}`]);
  stop.abort();
  await running;
});

test("what could not be deleted is tried again, ever more seldom, unless the server has no such thing", async () => {
  const stop = new AbortController();
  api.intercept = () => {
    throw statusErrors.forbidden({ group: "resource.k8s.io", resource: "resourceslices" }, "", "not yet");
  };
  const running = plugins.run(stop.signal);
  await clock.advance(16_000);
  expect(wiped()).toHaveLength(5);
  api.intercept = () => {
    throw statusErrors.notFound({ group: "resource.k8s.io", resource: "resourceslices" }, "");
  };
  await clock.advance(120_000);
  expect(wiped()).toHaveLength(1);
  stop.abort();
  await running;
});
