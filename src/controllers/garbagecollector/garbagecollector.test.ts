import { expect, test } from "vitest";
import { type ConfigMap, configMaps, type New, type OwnerReference, secrets } from "../../api/index.js";
import { Scenario } from "../../testing/controller-scenario.js";
import { garbageCollector } from "./garbagecollector.js";

const config = (name: string, owners: readonly OwnerReference[] = []): New<ConfigMap> => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default", ownerReferences: owners },
});

const ownedBy = (owner: ConfigMap, more: Partial<OwnerReference> = {}): OwnerReference => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  name: owner.metadata.name,
  uid: owner.metadata.uid,
  ...more,
});

async function begin(): Promise<Scenario> {
  const scenario = new Scenario({ controllers: [garbageCollector] });
  await scenario.start();
  return scenario;
}

const names = async (scenario: Scenario) => (await scenario.list(configMaps)).map(({ metadata }) => metadata.name);

test("deletes what has lost its only owner, and what that owned", async () => {
  const scenario = await begin();
  const top = await scenario.create(configMaps, config("top"));
  const middle = await scenario.create(configMaps, config("middle", [ownedBy(top)]));
  await scenario.create(configMaps, config("bottom", [ownedBy(middle)]));
  await scenario.create(configMaps, config("free"));
  await scenario.settle();
  expect(await names(scenario)).toEqual(["top", "middle", "bottom", "free"]);
  await scenario.delete(configMaps, "top");
  await scenario.settle();
  expect(await names(scenario)).toEqual(["free"]);
  expect(scenario.problems).toEqual([]);
});

test("with two owners it stays until both are gone", async () => {
  const scenario = await begin();
  const [a, b] = [await scenario.create(configMaps, config("a")), await scenario.create(configMaps, config("b"))];
  await scenario.create(configMaps, config("both", [ownedBy(a), ownedBy(b)]));
  await scenario.delete(configMaps, "a");
  await scenario.settle();
  expect((await scenario.get(configMaps, "both"))?.metadata.ownerReferences?.map(({ name }) => name)).toEqual(["b"]);
  await scenario.delete(configMaps, "b");
  await scenario.settle();
  expect(await names(scenario)).toEqual([]);
});

test("an owner of another uid is no owner", async () => {
  const scenario = await begin();
  const first = await scenario.create(configMaps, config("owner"));
  await scenario.delete(configMaps, "owner");
  await scenario.create(configMaps, config("owner"));
  await scenario.create(configMaps, config("stray", [ownedBy(first)]));
  await scenario.settle();
  expect(await names(scenario)).toEqual(["owner"]);
});

test("Orphan lets dependents live without the reference", async () => {
  const scenario = await begin();
  const owner = await scenario.create(configMaps, config("owner"));
  await scenario.create(configMaps, config("child", [ownedBy(owner)]));
  await scenario.settle();
  await scenario.delete(configMaps, "owner", { propagationPolicy: "Orphan" });
  await scenario.settle();
  expect(await names(scenario)).toEqual(["child"]);
  expect((await scenario.get(configMaps, "child"))?.metadata.ownerReferences ?? []).toEqual([]);
});

test("Foreground waits for dependents that block, and only for those", async () => {
  const scenario = await begin();
  const owner = await scenario.create(configMaps, config("owner"));
  const held = config("held", [ownedBy(owner, { blockOwnerDeletion: true })]);
  await scenario.create(configMaps, { ...held, metadata: { ...held.metadata, finalizers: ["example.com/hold"] } });
  await scenario.create(configMaps, config("loose", [ownedBy(owner)]));
  await scenario.settle();
  await scenario.delete(configMaps, "owner", { propagationPolicy: "Foreground" });
  await scenario.settle();
  expect(await names(scenario)).toEqual(["owner", "held"]);
  await scenario.change(configMaps, "held", { metadata: { finalizers: null } });
  await scenario.settle();
  expect(await names(scenario)).toEqual([]);
});

test("a circle of owners deleted in the foreground goes", async () => {
  const scenario = await begin();
  const a = await scenario.create(configMaps, config("a"));
  const b = await scenario.create(configMaps, config("b", [ownedBy(a, { blockOwnerDeletion: true })]));
  await scenario.change(configMaps, "a", { metadata: { ownerReferences: [ownedBy(b, { blockOwnerDeletion: true })] } });
  await scenario.settle();
  await scenario.delete(configMaps, "a", { propagationPolicy: "Foreground" });
  await scenario.advance(10_000);
  expect(await names(scenario)).toEqual([]);
});

test("finds after a restart what lost its owner meanwhile, across kinds", async () => {
  const scenario = await begin();
  const owner = await scenario.create(configMaps, config("owner"));
  await scenario.create(secrets, {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "s", namespace: "default", ownerReferences: [ownedBy(owner)] },
  });
  await scenario.settle();
  await scenario.stop();
  await scenario.delete(configMaps, "owner");
  await scenario.start();
  expect(await scenario.list(secrets)).toEqual([]);
});
