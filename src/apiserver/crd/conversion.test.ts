import { describe, expect, it } from "vitest";
import { customResourceDefinitions, type JsonObject } from "../../api/index.js";
import { isJsonObject } from "../../api/json-value.js";
import { seededRandom } from "../../internal/random.js";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { MemoryStore } from "../../store/index.js";
import { crontab, crontabDefinition, crontabs, define, serve } from "../../testing/custom-resources.fixture.js";
import { conversionWebhook } from "./index.js";

const at = (name: string) => ({ namespace: "default", name });

const open = { type: "object", "x-kubernetes-preserve-unknown-fields": true } as const;
const schema = { openAPIV3Schema: { type: "object", properties: { spec: open } } };
const two = [
  { name: "v1", served: true, storage: true, schema },
  { name: "v2", served: true, storage: false, schema },
];

/** v1 has `host: "a:1"`, v2 has it in two fields. */
function convert(object: JsonObject, apiVersion: string): JsonObject {
  const spec = isJsonObject(object["spec"]) ? object["spec"] : {};
  const joined = String(spec["hostPort"] ?? `${spec["host"]}:${spec["port"]}`);
  const [host, port] = joined.split(":");
  return { ...object, apiVersion, spec: apiVersion.endsWith("/v2") ? { host, port } : { hostPort: joined } };
}

describe("conversion", () => {
  it("without a strategy rewrites the version, and keeps objects of an earlier storage version readable", async () => {
    await using served = await serve();
    const { client } = served;
    const definition = await define(client, crontabDefinition({ spec: { versions: two } }));
    await client.create(crontabs(), crontab("one", { a: 1 }));
    expect((await client.get(crontabs("v2"), at("one"))).apiVersion).toBe("stable.example.com/v2");
    const versions = two.map((version) => ({ ...version, storage: version.name === "v2" }));
    const changed = await client.update(customResourceDefinitions, {
      ...definition,
      spec: { ...definition.spec, versions },
    });
    expect(changed.status?.storedVersions).toEqual(["v1", "v2"]);
    await expect.poll(() => served.server.lookup("stable.example.com", "v1", "crontabs")?.storage.version).toBe("v2");
    await client.create(crontabs(), crontab("two", { a: 2 }));
    for (const version of ["v1", "v2"]) {
      const { items } = await client.list(crontabs(version), {});
      expect(items.map(({ apiVersion, metadata }) => [apiVersion, metadata.name])).toEqual([
        [`stable.example.com/${version}`, "one"],
        [`stable.example.com/${version}`, "two"],
      ]);
    }
  });

  it("by a function of the process converts reads, writes and watches", async () => {
    const converters = new Map([["crontabs.stable.example.com", convert]]);
    await using served = await serve({ converters });
    const { client } = served;
    await define(client, crontabDefinition({ spec: { versions: two } }));
    const created = await client.create(
      crontabs("v2"),
      crontab("one", { host: "a", port: "1" }, "stable.example.com/v2"),
    );
    expect(created["spec"]).toEqual({ host: "a", port: "1" });
    expect((await client.get(crontabs(), at("one")))["spec"]).toEqual({ hostPort: "a:1" });
    await client.patch(crontabs("v2"), at("one"), { type: "merge", body: { spec: { port: "2" } } });
    expect((await client.list(crontabs(), {})).items[0]?.["spec"]).toEqual({ hostPort: "a:2" });
    const specs: unknown[] = [];
    const options = { namespace: "default", resourceVersion: created.metadata.resourceVersion ?? "" };
    for await (const { object } of client.watch(crontabs("v2"), options)) {
      specs.push(object["spec"]);
      break;
    }
    expect(specs).toEqual([{ host: "a", port: "2" }]);
  });

  it("by a webhook asks once for a whole list, and says why it failed", async () => {
    const reviews: JsonObject[] = [];
    let broken = false;
    const webhook = conversionWebhook({
      clock: new VirtualClock(),
      random: seededRandom(1),
      call: async (_, review) => {
        const { request } = review as { request: { uid: string; objects: JsonObject[]; desiredAPIVersion: string } };
        reviews.push(review as JsonObject);
        const answer = { apiVersion: "apiextensions.k8s.io/v1", kind: "ConversionReview" };
        const failed = { uid: request.uid, result: { status: "Failed", message: "no mood" } };
        if (broken) return { ...answer, response: failed };
        const convertedObjects = request.objects.map((object) => convert(object, request.desiredAPIVersion));
        return { ...answer, response: { uid: request.uid, result: { status: "Success" }, convertedObjects } };
      },
    });
    await using served = await serve({ webhook }, new MemoryStore());
    const { client } = served;
    const conversion = {
      strategy: "Webhook",
      webhook: { conversionReviewVersions: ["v1"], clientConfig: { url: "https://127.0.0.1:1/convert" } },
    };
    await define(client, crontabDefinition({ spec: { versions: two, conversion } }));
    for (const name of ["one", "two", "three"]) await client.create(crontabs(), crontab(name, { hostPort: "a:1" }));
    expect(reviews).toEqual([]);
    const { items } = await client.list(crontabs("v2"), {});
    expect(items.map((item) => item["spec"])).toEqual(Array(3).fill({ host: "a", port: "1" }));
    expect(reviews).toHaveLength(1);
    expect(reviews[0]).toMatchObject({ kind: "ConversionReview", apiVersion: "apiextensions.k8s.io/v1" });
    broken = true;
    await client.create(crontabs(), crontab("four", { hostPort: "a:1" }));
    await expect(client.get(crontabs("v2"), at("four"))).rejects.toThrow(
      "conversion webhook for stable.example.com/v1, Kind=CronTab failed: no mood",
    );
    expect((await client.get(crontabs(), at("four")))["spec"]).toEqual({ hostPort: "a:1" });
  });
});
