import { describe, expect, it } from "vitest";
import { type APIService, apiServices, customResourceDefinitions } from "../../api/index.js";
import { MemoryStore } from "../../store/index.js";
import { crontabDefinition, type Served, serve } from "../../testing/custom-resources.fixture.js";
import { makeApiService } from "./fixture.js";
import { ApiServiceRegistration } from "./registration.js";
import { managedLabel } from "./wanted-services.js";

async function registering(served: Served): Promise<AsyncDisposable> {
  const { server } = served;
  const builtin = server.table.all().filter(({ custom }) => custom !== true);
  const stop = new AbortController();
  const running = new ApiServiceRegistration(server, builtin).run({ signal: stop.signal, ready: () => {} });
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}

const names = async ({ client }: Served): Promise<readonly (string | undefined)[]> =>
  (await client.list(apiServices)).items.map(({ metadata }) => metadata.name);

const get = ({ client }: Served, name: string): Promise<APIService> => client.get(apiServices, { name });

describe("the APIServices of this server", () => {
  it("are made for every built-in group-version but that of APIServices", async () => {
    await using served = await serve();
    await using _ = await registering(served);
    await expect.poll(() => names(served)).toHaveLength(21);
    expect(await names(served)).not.toContain("v1.apiregistration.k8s.io");
    expect(await get(served, "v1.")).toMatchObject({
      metadata: { labels: { [managedLabel]: "onstart" } },
      spec: { version: "v1", groupPriorityMinimum: 18_000, versionPriority: 1 },
      status: { conditions: [{ type: "Available", status: "True", reason: "Local" }] },
    });
  });

  it("come and go with the versions of custom resources", async () => {
    await using served = await serve();
    await using _ = await registering(served);
    await served.client.create(customResourceDefinitions, crontabDefinition());
    await expect.poll(() => names(served)).toContain("v1.stable.example.com");
    await served.client.delete(customResourceDefinitions, { name: "crontabs.stable.example.com" });
    await expect.poll(() => names(served)).not.toContain("v1.stable.example.com");
  });

  it("that somebody changed or deleted are made good at the next start, and not before", async () => {
    const store = new MemoryStore();
    {
      await using served = await serve({}, store);
      await using _ = await registering(served);
      await expect.poll(() => names(served)).toHaveLength(21);
      const apps = await get(served, "v1.apps");
      await served.client.update(apiServices, { ...apps, spec: { ...spec(apps), versionPriority: 3 } });
      await served.client.delete(apiServices, { name: "v1.batch" });
      await served.client.create(customResourceDefinitions, crontabDefinition());
      await expect.poll(() => names(served)).toContain("v1.stable.example.com");
      expect((await get(served, "v1.apps")).spec?.versionPriority).toBe(3);
      expect(await names(served)).not.toContain("v1.batch");
    }
    await using served = await serve({}, store);
    await using _ = await registering(served);
    await expect.poll(() => names(served)).toContain("v1.batch");
    await expect.poll(async () => (await get(served, "v1.apps")).spec?.versionPriority).toBe(15);
  });

  it("are made once by several servers, which then agree", async () => {
    const store = new MemoryStore();
    await using one = await serve({}, store);
    await using two = await serve({}, store);
    await using _one = await registering(one);
    await using _two = await registering(two);
    await one.client.create(customResourceDefinitions, crontabDefinition());
    await expect.poll(() => names(two)).toHaveLength(22);
    await expect.poll(() => names(one)).toContain("v1.stable.example.com");
    await two.client.delete(customResourceDefinitions, { name: "crontabs.stable.example.com" });
    await expect.poll(() => names(one)).toHaveLength(21);
    const before = await one.server.cache.fresh();
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(await one.server.cache.fresh()).toBe(before);
  });

  it("of others are left alone, also where they take over a group-version of this server", async () => {
    await using served = await serve();
    const own = { ...makeApiService({ group: "apps" }), metadata: { name: "v1.apps" } };
    await served.client.create(apiServices, own);
    await using _ = await registering(served);
    await expect.poll(() => names(served)).toContain("v1.batch");
    expect((await get(served, "v1.apps")).spec?.service?.name).toBe("wardle");
  });
});

function spec(service: APIService): NonNullable<APIService["spec"]> {
  if (service.spec === undefined) throw new Error("it has no spec");
  return service.spec;
}
