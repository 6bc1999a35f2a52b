import { describe, expect, it } from "vitest";
import { apiServices } from "../../api/index.js";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { serve } from "../../testing/custom-resources.fixture.js";
import type { ServedVersion } from "../discovery/groups.js";
import type { FetchAnswer, FetchRequest } from "./backend-fetch.js";
import { answer, makeApiService, makeRemote } from "./fixture.js";
import { parseAggregated, parseResourceList } from "./parse-discovery.js";
import { RemoteDiscovery } from "./remote-discovery.js";
import { RemoteServices } from "./remote-services.js";

const place = { group: "wardle.example.com", version: "v1" };

const list = {
  kind: "APIResourceList",
  resources: [
    { name: "pods/http_requests", namespaced: true, kind: "MetricValueList", verbs: ["get"] },
    {
      name: "flunders",
      singularName: "flunder",
      namespaced: false,
      kind: "Flunder",
      verbs: ["list"],
      shortNames: ["fl"],
    },
    { name: "flunders/scale", namespaced: false, group: "autoscaling", version: "v1", kind: "Scale", verbs: ["get"] },
  ],
};

const aggregated = {
  kind: "APIGroupDiscoveryList",
  items: [
    {
      metadata: { name: "wardle.example.com" },
      versions: [
        {
          version: "v1",
          resources: [
            {
              resource: "flunders",
              responseKind: { group: "", version: "", kind: "Flunder" },
              scope: "Namespaced",
              singularResource: "flunder",
              verbs: ["get"],
              subresources: [{ subresource: "status", responseKind: { group: "", version: "", kind: "Flunder" } }],
            },
          ],
        },
      ],
    },
  ],
};

describe("what a server says that it serves", () => {
  it("is read in its legacy form, also a subresource of what is not there", () => {
    expect(parseResourceList(list, place)).toMatchObject([
      {
        resource: "pods",
        kind: "",
        verbs: [],
        subresources: [{ name: "http_requests", ...place, kind: "MetricValueList" }],
      },
      {
        resource: "flunders",
        singular: "flunder",
        namespaced: false,
        shortNames: ["fl"],
        subresources: [{ name: "scale", group: "autoscaling", version: "v1", kind: "Scale" }],
      },
    ]);
  });

  it("is read in its aggregated form", () => {
    expect(parseAggregated(aggregated, place)).toMatchObject([
      { resource: "flunders", kind: "Flunder", namespaced: true, subresources: [{ name: "status", ...place }] },
    ]);
    expect(parseAggregated(aggregated, { ...place, version: "v2" })).toBeUndefined();
  });

  it.each([undefined, null, 3, [], { kind: "APIGroupDiscoveryList", items: 3 }, { kind: "APIGroupList" }])(
    "%j is no such document",
    (document) => {
      expect(parseAggregated(document, place)).toBeUndefined();
    },
  );
});

describe("discovery of servers behind this one", () => {
  interface Discovering extends AsyncDisposable {
    readonly clock: VirtualClock;
    readonly discovery: RemoteDiscovery;
    readonly version: () => ServedVersion | undefined;
  }

  async function discovering(fetch: (request: FetchRequest) => FetchAnswer): Promise<Discovering> {
    const clock = new VirtualClock();
    const served = await serve({ clock });
    const { server, client } = served;
    const services = new RemoteServices(server.cacheReader);
    const discovery = new RemoteDiscovery({ server, services, fetch: async (_, request) => fetch(request) });
    const made = await client.create(apiServices, makeApiService());
    const conditions = [{ type: "Available", status: "True", lastTransitionTime: "2026-01-01T00:00:00Z" }];
    await client.update(apiServices, { ...made, status: { conditions } }, { subresource: "status" });
    const stop = new AbortController();
    const running = discovery.run({ signal: stop.signal, ready: () => {} });
    return {
      clock,
      discovery,
      version: () => discovery.groups()[0]?.versions[0],
      async [Symbol.asyncDispose]() {
        stop.abort();
        await running;
        await served[Symbol.asyncDispose]();
      },
    };
  }

  it("asks again with the ETag, and keeps what it knows, stale, when there is no answer", async () => {
    const etags: (string | undefined)[] = [];
    let next = (): FetchAnswer => answer(200, aggregated, { etag: '"1"' });
    await using test = await discovering(({ etag }) => {
      etags.push(etag);
      return next();
    });
    await expect.poll(() => test.version()).toMatchObject({ stale: false, resources: [{ resource: "flunders" }] });
    const before = test.discovery.generation;
    next = () => answer(304);
    await test.clock.advance(60_000);
    expect(etags).toEqual([undefined, '"1"']);
    expect(test.discovery.generation).toBe(before);
    next = () => {
      throw new Error("gone");
    };
    await test.clock.advance(60_000);
    expect(test.version()).toMatchObject({ stale: true, resources: [{ resource: "flunders" }] });
    next = () => answer(304);
    await test.clock.advance(5_000);
    expect(test.version()).toMatchObject({ stale: false });
  });

  it("asks for the legacy form where there is no other", async () => {
    await using test = await discovering(({ path }) => (path === "/apis" ? answer(404) : answer(200, list)));
    await expect.poll(() => test.version()?.resources.map(({ resource }) => resource)).toEqual(["pods", "flunders"]);
    expect(test.discovery.groups()).toMatchObject([{ name: makeRemote().group, priority: 2000 }]);
  });
});
