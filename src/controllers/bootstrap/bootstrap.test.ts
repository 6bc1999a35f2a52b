import { describe, expect, it, test } from "vitest";
import { configMaps, type New, type Secret, secrets } from "../../api/index.js";
import { Scenario } from "../../testing/controller-scenario.js";
import { bootstrapSigner, tokenCleaner } from "./bootstrap.js";
import { detachedSignature } from "./bootstrap-token.js";

/** As upstream's own tests have them. */
const signatures = [
  {
    name: "a text",
    content: "Hello from the other side. I must have called a thousand times.",
    secret: "my voice is my passcode",
    signature: "VShe2taLd-YTrmWuRkcL_8QTNDHYxQIEBsAYYiIj1_8",
  },
  {
    name: "no text",
    content: "",
    secret: "my voice is my passcode",
    signature: "7Ui1ALizW4jXphVUB7xUqC9vLYLL9RZeOFfVLoB7Tgk",
  },
];

test.each(signatures)("the detached signature of $name", ({ content, secret, signature }) => {
  expect(detachedSignature(content, "joshua", secret)).toBe(`eyJhbGciOiJIUzI1NiIsImtpZCI6Impvc2h1YSJ9..${signature}`);
});

const token = (
  id: string,
  fields: Readonly<Record<string, string>> = {},
  name = `bootstrap-token-${id}`,
): New<Secret> => {
  const all = { "token-id": id, "token-secret": "0123456789abcdef", "usage-bootstrap-signing": "true", ...fields };
  const data = Object.fromEntries(
    Object.entries(all).map(([key, text]) => [key, Buffer.from(text).toString("base64")]),
  );
  const metadata = { name, namespace: "kube-system" };
  return { apiVersion: "v1", kind: "Secret", metadata, type: "bootstrap.kubernetes.io/token", data };
};

async function started(): Promise<Scenario> {
  const controllers = [bootstrapSigner, tokenCleaner];
  const scenario = new Scenario({ controllers, select: ["bootstrapsigner", "tokencleaner"] });
  await scenario.start();
  const metadata = { name: "cluster-info", namespace: "kube-public" };
  const data = { kubeconfig: "it", "jws-kubeconfig-gone00": "old" };
  await scenario.create(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata, data });
  return scenario;
}

const signedBy = async (scenario: Scenario): Promise<readonly string[]> =>
  Object.keys((await scenario.get(configMaps, "cluster-info", "kube-public"))?.data ?? {})
    .filter((key) => key !== "kubeconfig")
    .map((key) => key.replace("jws-kubeconfig-", ""))
    .sort();
const inMs = (scenario: Scenario, ms: number): string => new Date(scenario.clock.now() + ms).toISOString();

describe("bootstrap-signer-controller", () => {
  it("signs with the tokens that may, and takes other signatures away", async () => {
    const scenario = await started();
    await scenario.settle();
    expect(await signedBy(scenario)).toEqual([]);
    await scenario.create(secrets, token("aaaaaa"));
    await scenario.create(secrets, token("bbbbbb", { "usage-bootstrap-signing": "false" }));
    await scenario.create(secrets, { ...token("cccccc"), type: "Opaque" });
    await scenario.create(secrets, token("dddddd", { "token-id": "eeeeee" }));
    await scenario.settle();
    expect(await signedBy(scenario)).toEqual(["aaaaaa"]);
    const { data } = (await scenario.get(configMaps, "cluster-info", "kube-public")) ?? {};
    expect(data?.["jws-kubeconfig-aaaaaa"]).toBe(detachedSignature("it", "aaaaaa", "0123456789abcdef"));
    const body = { data: { kubeconfig: "another" } };
    await scenario.change(configMaps, "cluster-info", body, undefined, "kube-public");
    await scenario.settle();
    const after = (await scenario.get(configMaps, "cluster-info", "kube-public"))?.data;
    expect(after?.["jws-kubeconfig-aaaaaa"]).toBe(detachedSignature("another", "aaaaaa", "0123456789abcdef"));
    await scenario.delete(secrets, "bootstrap-token-aaaaaa", {}, "kube-system");
    await scenario.settle();
    expect(await signedBy(scenario)).toEqual([]);
  });
});

describe("token-cleaner-controller", () => {
  it("deletes tokens when they expire, and their signatures go", async () => {
    const scenario = await started();
    await scenario.create(secrets, token("aaaaaa"));
    await scenario.create(secrets, token("bbbbbb", { expiration: inMs(scenario, 60_000) }));
    await scenario.create(secrets, token("cccccc", { expiration: "tomorrow" }));
    await scenario.create(secrets, { ...token("dddddd", { expiration: inMs(scenario, -1) }), type: "Opaque" });
    await scenario.settle();
    const names = async () => (await scenario.list(secrets)).map(({ metadata }) => metadata.name.slice(-6));
    expect(await names()).toEqual(["aaaaaa", "bbbbbb", "dddddd"]);
    expect(await signedBy(scenario)).toEqual(["aaaaaa", "bbbbbb"]);
    await scenario.advance(61_000);
    expect(await names()).toEqual(["aaaaaa", "dddddd"]);
    expect(await signedBy(scenario)).toEqual(["aaaaaa"]);
  });
});

test("neither runs unless it is asked for", () => {
  expect([bootstrapSigner.optIn, tokenCleaner.optIn]).toEqual([true, true]);
});
