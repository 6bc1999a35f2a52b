import { webcrypto } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { configMaps, secrets } from "../../api/index.js";
import { startControlPlane } from "../../cluster/control-plane.js";
import { silentLogger } from "../../internal/logger.js";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { MemoryStore } from "../../store/index.js";
import { describeStore } from "../../testing/store-contract.js";
import type { EncryptionProvider } from "./configuration.js";
import { EncryptedStore } from "./encrypted-store.js";
import { encryptedStore } from "./make-store.js";
import { reloadEncryption } from "./reload.js";
import { transformersOf } from "./transformers.js";

const keyed = (type: "aesgcm" | "aescbc" | "secretbox", name = "key1", fill = 7): EncryptionProvider => ({
  type,
  keys: [{ name, secret: Buffer.alloc(32, fill) }],
});
const rules = (...providers: EncryptionProvider[]) => [{ resources: ["secrets"], providers }];
const key = "/registry/secrets/default/s";
const one = async (...providers: EncryptionProvider[]) => (await transformersOf(rules(...providers)))("", "secrets");

for (const type of ["aesgcm", "aescbc", "secretbox"] as const) {
  describeStore({
    name: `EncryptedStore with ${type}`,
    setup: async () => {
      const clock = new VirtualClock();
      const lookup = await transformersOf([{ resources: ["*.*"], providers: [keyed(type)] }]);
      const store = new EncryptedStore(new MemoryStore({ clock }), () => ({ group: "", resource: "any" }), lookup);
      return { store, advance: (durationMs) => clock.advance(durationMs) };
    },
  });
}

describe("what is stored", () => {
  it.each(["aesgcm", "aescbc", "secretbox"] as const)("of %s has upstream's prefix, and comes back", async (type) => {
    const transformer = await one(keyed(type));
    const sealed = transformer.toStorage(Buffer.from("plain"), key);
    expect(sealed.toString("latin1")).toMatch(new RegExp(`^k8s:enc:${type}:v1:key1:`));
    expect(sealed.includes("plain")).toBe(false);
    expect(transformer.fromStorage(sealed, key)).toEqual({ value: Buffer.from("plain"), stale: false });
  });

  it.each([
    ["AES-GCM", "aesgcm", 12],
    ["AES-CBC", "aescbc", 16],
  ] as const)("of another maker of %s is read", async (name, type, nonceBytes) => {
    const { subtle } = webcrypto;
    const secret = await subtle.importKey("raw", Buffer.alloc(32, 7), name, false, ["encrypt"]);
    const iv = Buffer.alloc(nonceBytes, 9);
    const bound = name === "AES-GCM" ? { additionalData: Buffer.from(key) } : {};
    const sealed = await subtle.encrypt({ name, iv, ...bound }, secret, Buffer.from('{"a":1}'));
    const stored = Buffer.concat([Buffer.from(`k8s:enc:${type}:v1:key1:`), iv, Buffer.from(sealed)]);
    expect((await one(keyed(type))).fromStorage(stored, key).value.toString()).toBe('{"a":1}');
  });

  it("of NaCl's own test of secretbox is read", async () => {
    const secret = Buffer.from("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389", "hex");
    const nonce = "69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37";
    const box =
      "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5";
    const message =
      "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f937763848645e0705";
    const transformer = await one({ type: "secretbox", keys: [{ name: "k", secret }] });
    const stored = Buffer.concat([Buffer.from("k8s:enc:secretbox:v1:k:"), Buffer.from(nonce + box, "hex")]);
    expect(transformer.fromStorage(stored, key).value.toString("hex")).toBe(message);
  });

  it("is opened by whichever key fits, and stale but for the first", async () => {
    const sealed = (await one(keyed("aescbc", "old", 3))).toStorage(Buffer.from("x"), key);
    const both = await one(keyed("aesgcm"), keyed("aescbc", "old", 3), { type: "identity" });
    expect(both.fromStorage(sealed, key)).toEqual({ value: Buffer.from("x"), stale: true });
    expect(both.fromStorage(Buffer.from("{}"), key)).toEqual({ value: Buffer.from("{}"), stale: true });
    const renamed = await one(keyed("aesgcm"), { ...keyed("aesgcm", "key1", 5) });
    const other = (await one(keyed("aesgcm", "key1", 5))).toStorage(Buffer.from("x"), key);
    expect(renamed.fromStorage(other, key)).toEqual({ value: Buffer.from("x"), stale: true });
  });

  it.each([
    ["another key's", "k8s:enc:aesgcm:v1:key2:abc", "no matching prefix found"],
    ["plain", "{}", "no matching prefix found"],
    ["too short", "k8s:enc:aesgcm:v1:key1:abc", "shorter than the required size"],
    ["forged", `k8s:enc:aesgcm:v1:key1:${"x".repeat(40)}`, "unable to authenticate data"],
  ])("is refused when it is %s", async (_, stored, message) => {
    const transformer = await one(keyed("aesgcm"));
    const open = () => transformer.fromStorage(Buffer.from(stored), key);
    expect(open).toThrow(`unable to transform key "${key}": `);
    expect(open).toThrow(message);
  });

  it("of aesgcm is bound to its place, and encrypted data is not taken for plain", async () => {
    const sealed = (await one(keyed("aesgcm"))).toStorage(Buffer.from("x"), key);
    const transformer = await one(keyed("aesgcm"));
    expect(() => transformer.fromStorage(sealed, `${key}2`)).toThrow("unable to authenticate data");
    const plain = await one({ type: "identity" });
    expect(() => plain.fromStorage(sealed, key)).toThrow("identity transformer tried to read encrypted data");
  });

  it.each([
    ["secrets", "", "secrets", true],
    ["secrets", "apps", "secrets", false],
    ["*.apps", "apps", "deployments", true],
    ["*.", "", "configmaps", true],
    ["*.", "apps", "deployments", false],
    ["*.*", "example.com", "widgets", true],
  ])("%s: %s/%s", async (name, group, resource, expected) => {
    const lookup = await transformersOf([{ resources: [name], providers: [keyed("aescbc")] }]);
    const sealed = lookup(group, resource).toStorage(Buffer.from("{}"), key);
    expect(sealed.toString("latin1").startsWith("k8s:enc:")).toBe(expected);
  });
});

describe("an API server on it", () => {
  const secret = (name: string) => ({
    apiVersion: "v1" as const,
    kind: "Secret" as const,
    metadata: { name, namespace: "default" },
    stringData: { password: "hidden" },
  });

  it("encrypts what it is to, and serves it from all reads", async () => {
    const inner = new MemoryStore();
    const store = await encryptedStore(inner, rules(keyed("aesgcm")));
    await using cp = await startControlPlane({ store, controllers: [] });
    for (const name of ["a", "b", "c"]) await cp.client.create(secrets, secret(name));
    await cp.client.create(configMaps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "m", namespace: "default" },
    });
    const stored = async (path: string) => (await inner.get(`/registry/${path}`))?.value.toString("latin1") ?? "";
    expect(await stored("secrets/default/a")).toMatch(/^k8s:enc:aesgcm:v1:key1:/);
    expect(await stored("configmaps/default/m")).toMatch(/^\{/);
    const page = await cp.client.list(secrets, { namespace: "default", limit: 2 });
    const rest = await cp.client.list(secrets, {
      namespace: "default",
      limit: 2,
      continue: page.metadata.continue ?? "",
    });
    expect([...page.items, ...rest.items].map(({ data }) => data)).toEqual(
      Array.from({ length: 3 }, () => ({ password: Buffer.from("hidden").toString("base64") })),
    );
  });

  it("writes an object again that an old key sealed, though nothing changes, and starts on what is there", async () => {
    const inner = new MemoryStore();
    const old = keyed("aescbc", "old", 3);
    {
      await using cp = await startControlPlane({ store: await encryptedStore(inner, rules(old)), controllers: [] });
      await cp.client.create(secrets, secret("a"));
    }
    const store = await encryptedStore(inner, rules(keyed("secretbox"), old));
    await using cp = await startControlPlane({ store, controllers: [] });
    const found = await cp.client.get(secrets, { namespace: "default", name: "a" });
    await cp.client.update(secrets, found);
    expect((await inner.get("/registry/secrets/default/a"))?.value.toString("latin1")).toMatch(/^k8s:enc:secretbox:/);
    const again = await cp.client.get(secrets, { namespace: "default", name: "a" });
    await cp.client.update(secrets, again);
    const { metadata } = await cp.client.get(secrets, { namespace: "default", name: "a" });
    expect(metadata.resourceVersion).toBe(again.metadata.resourceVersion);
    expect(metadata.resourceVersion).not.toBe(found.metadata.resourceVersion);
  });

  it("does not start on what no key opens, and says so", async () => {
    const inner = new MemoryStore();
    {
      const store = await encryptedStore(inner, rules(keyed("aesgcm")));
      await using cp = await startControlPlane({ store, controllers: [] });
      await cp.client.create(secrets, secret("a"));
    }
    const store = await encryptedStore(inner, rules(keyed("aesgcm", "other")));
    await expect(startControlPlane({ store, controllers: [] })).rejects.toThrow(
      'unable to transform key "/registry/secrets/default/a": no matching prefix found',
    );
  });
});

describe("reloadEncryption", () => {
  it("goes by new keys, and by the last ones when the new make no sense", async () => {
    const clock = new VirtualClock();
    const inner = new MemoryStore({ clock });
    const store = await encryptedStore(inner, rules({ type: "identity" }));
    const document = (providers: object[]): string =>
      JSON.stringify({
        apiVersion: "apiserver.config.k8s.io/v1",
        kind: "EncryptionConfiguration",
        resources: [{ resources: ["secrets"], providers }],
      });
    const stop = new AbortController();
    const folder = await mkdtemp(join(tmpdir(), "encryption-"));
    const path = join(folder, "config.yaml");
    const text = document([{ identity: {} }]);
    await writeFile(path, text);
    const messages: string[] = [];
    const told = (message: string): void => void messages.push(message);
    const logger = { ...silentLogger, info: told, error: told };
    const ready = (): void => {};
    const running = reloadEncryption(store, { path, text, clock, logger }).run({ signal: stop.signal, ready });
    const afterChange = async (changed: string): Promise<void> => {
      const before = messages.length;
      await writeFile(path, changed);
      await vi.waitUntil(async () => {
        await clock.advance(10_000);
        return messages.length > before;
      });
    };
    const prefixOf = async (name: string): Promise<string> => {
      await store.create(`/registry/secrets/default/${name}`, Buffer.from("{}"));
      return (await inner.get(`/registry/secrets/default/${name}`))?.value.toString("latin1").slice(0, 23) ?? "";
    };
    expect(await prefixOf("a")).toBe("{}");
    const keys = [{ name: "key1", secret: Buffer.alloc(32, 7).toString("base64") }];
    await afterChange(document([{ aesgcm: { keys } }, { identity: {} }]));
    expect(await prefixOf("b")).toBe("k8s:enc:aesgcm:v1:key1:");
    await afterChange("nonsense: true");
    expect(await prefixOf("c")).toBe("k8s:enc:aesgcm:v1:key1:");
    expect((await store.get("/registry/secrets/default/a"))?.stale).toBe(true);
    expect(messages).toEqual(["reloaded a configuration", "cannot reload a configuration"]);
    stop.abort();
    await running;
    await rm(folder, { recursive: true });
  });
});
