import { describe, expect, it } from "vitest";
import { apiServices, endpointSlices, services } from "../../api/index.js";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { type Served, serve } from "../../testing/custom-resources.fixture.js";
import { AvailabilityController } from "./availability.js";
import type { BackendFetch, FetchAnswer } from "./backend-fetch.js";
import { withAvailability } from "./conditions.js";
import { answer, makeApiService, makeRemote, makeService, makeSlice } from "./fixture.js";
import { RemoteServices } from "./remote-services.js";

interface Watched extends AsyncDisposable {
  readonly served: Served;
  readonly clock: VirtualClock;
  /** How often the server behind was asked. */
  readonly asked: () => number;
  condition(): Promise<{ readonly status?: string; readonly reason?: string; readonly message?: string }>;
}

async function watched(fetch: () => FetchAnswer | Promise<FetchAnswer>): Promise<Watched> {
  const clock = new VirtualClock();
  const served = await serve({ clock });
  const { server, client } = served;
  let asked = 0;
  const counted: BackendFetch = async () => {
    asked++;
    return fetch();
  };
  const controller = new AvailabilityController({
    server,
    services: new RemoteServices(server.cacheReader),
    fetch: counted,
  });
  const stop = new AbortController();
  const running = controller.run({ signal: stop.signal, ready: () => {} });
  return {
    served,
    clock,
    asked: () => asked,
    async condition() {
      const { status } = await client.get(apiServices, { name: makeRemote().name });
      return status?.conditions?.[0] ?? {};
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      await served[Symbol.asyncDispose]();
    },
  };
}

const reasons = [
  { name: "no Service", objects: [], reason: "ServiceNotFound", message: 'service/wardle in "default" is not present' },
  {
    name: "another port",
    objects: [makeService(80)],
    reason: "ServicePortError",
    message: 'service/wardle in "default" is not listening on port 443',
  },
  {
    name: "no EndpointSlice",
    objects: [makeService()],
    reason: "EndpointsNotFound",
    message: 'cannot find endpointslices for service/wardle in "default"',
  },
  {
    name: "no endpoint that is ready",
    objects: [makeService(), makeSlice({ ready: false })],
    reason: "MissingEndpoints",
    message: 'endpointslices for service/wardle in "default" have no addresses with port name "https"',
  },
  {
    name: "no port of that name",
    objects: [makeService(), makeSlice({ port: "other" })],
    reason: "MissingEndpoints",
    message: 'endpointslices for service/wardle in "default" have no addresses with port name "https"',
  },
  {
    name: "a server that refuses",
    objects: [makeService(), makeSlice()],
    code: 403,
    reason: "FailedDiscoveryCheck",
    message: "failing or missing response from https://10.0.0.1:8443/x: bad status from https://10.0.0.1:8443/x: 403",
  },
  {
    name: "nothing wrong",
    objects: [makeService(), makeSlice()],
    status: "True",
    reason: "Passed",
    message: "all checks passed",
  },
];

describe("an APIService", () => {
  it.each(reasons)(
    "with $name is said to be so",
    async ({ objects, code = 200, status = "False", reason, message }) => {
      await using test = await watched(() => answer(code));
      const { client } = test.served;
      for (const object of objects) {
        if (object.kind === "Service") await client.create(services, object);
        else await client.create(endpointSlices, object);
      }
      await client.create(apiServices, makeApiService());
      await expect.poll(() => test.condition()).toMatchObject({ status, reason, message });
    },
  );

  it("is looked at again when its endpoints change, and after half a minute", async () => {
    let code = 200;
    await using test = await watched(() => answer(code));
    const { client } = test.served;
    await client.create(services, makeService());
    await client.create(apiServices, makeApiService());
    await expect.poll(() => test.condition()).toMatchObject({ reason: "EndpointsNotFound" });
    await client.create(endpointSlices, makeSlice());
    await expect.poll(() => test.condition()).toMatchObject({ reason: "Passed" });
    code = 500;
    await test.clock.advance(30_000);
    await expect.poll(() => test.condition()).toMatchObject({ reason: "FailedDiscoveryCheck" });
    code = 200;
    await test.clock.advance(10);
    await expect.poll(() => test.condition()).toMatchObject({ reason: "Passed" });
  });

  it("whose failure reads another way each time is asked ever less often", async () => {
    let count = 0;
    await using test = await watched(() => Promise.reject(new Error(`failure ${count++}`)));
    const { client } = test.served;
    await client.create(services, makeService());
    await client.create(endpointSlices, makeSlice());
    await client.create(apiServices, makeApiService());
    await expect.poll(() => test.condition()).toMatchObject({ reason: "FailedDiscoveryCheck" });
    await test.clock.advance(5_000);
    // 5, 10, 20 ... ms: ten checks of five attempts in five seconds, and no endless ones.
    expect(test.asked()).toBeLessThanOrEqual(11 * 5);
    expect(test.asked()).toBeGreaterThan(5 * 5);
  });

  it("that becomes local is available", async () => {
    await using test = await watched(() => answer(200));
    const { client } = test.served;
    const made = await client.create(apiServices, makeApiService());
    await expect.poll(() => test.condition()).toMatchObject({ reason: "ServiceNotFound" });
    const { group = "", version = "" } = made.spec ?? {};
    const now = await client.get(apiServices, { name: makeRemote().name });
    const spec = { group, version, groupPriorityMinimum: 1, versionPriority: 1 };
    await client.update(apiServices, { ...now, spec });
    await expect.poll(() => test.condition()).toMatchObject({ status: "True", reason: "Local" });
  });
});

describe("a condition", () => {
  const made = { ...makeApiService(), metadata: { name: "x", uid: "1", creationTimestamp: "", resourceVersion: "1" } };
  const passed = { status: "True", reason: "Passed", message: "all checks passed" } as const;

  it("keeps its time while the status stays, and the object while nothing changes", () => {
    const first = withAvailability(made, { ...passed, status: "False", reason: "A", message: "a" }, "1");
    const second = withAvailability(first, { ...passed, status: "False", reason: "B", message: "b" }, "2");
    const third = withAvailability(second, passed, "3");
    const times = [first, second, third].map(({ status }) => status?.conditions?.[0]?.lastTransitionTime);
    expect(times).toEqual(["1", "1", "3"]);
    expect(withAvailability(third, passed, "4")).toBe(third);
  });
});
