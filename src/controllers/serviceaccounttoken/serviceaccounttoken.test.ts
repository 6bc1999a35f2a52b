import { expect, test } from "vitest";
import { type New, type Secret, secrets, serviceAccounts } from "../../api/index.js";
import { Scenario } from "../../testing/controller-scenario.js";
import { serviceAccountTokenController } from "./serviceaccounttoken.js";

const tokenSecret = (name: string, account: string, annotations: object = {}): New<Secret> => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: {
    name,
    namespace: "default",
    annotations: { "kubernetes.io/service-account.name": account, ...annotations },
  },
  type: "kubernetes.io/service-account-token",
});

async function begin(): Promise<Scenario> {
  const sign = async ({ namespace, secretName, serviceAccount }: Parameters<Sign>[0]): Promise<string> =>
    `${namespace}/${secretName}/${serviceAccount.name}/${serviceAccount.uid === "" ? "?" : "uid"}`;
  const scenario = new Scenario({ controllers: [serviceAccountTokenController({ sign, rootCa: "PEM" })] });
  await scenario.start();
  await scenario.create(serviceAccounts, {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "robot", namespace: "default" },
    secrets: [{ name: "t" }, { name: "other" }],
  });
  return scenario;
}
type Sign = Parameters<typeof serviceAccountTokenController>[0]["sign"];

const read = (secret: Secret | undefined): object =>
  Object.fromEntries(
    Object.entries(secret?.data ?? {}).map(([key, value]) => [key, Buffer.from(value, "base64").toString()]),
  );

test("fills a Secret that names an account, and leaves others alone", async () => {
  const scenario = await begin();
  await scenario.create(secrets, tokenSecret("t", "robot"));
  await scenario.create(secrets, { ...tokenSecret("plain", "robot"), type: "Opaque" });
  await scenario.settle();
  const secret = await scenario.get(secrets, "t");
  expect(read(secret)).toEqual({ "ca.crt": "PEM", namespace: "default", token: "default/t/robot/uid" });
  const account = await scenario.get(serviceAccounts, "robot");
  expect(secret?.metadata.annotations).toEqual({
    "kubernetes.io/service-account.name": "robot",
    "kubernetes.io/service-account.uid": account?.metadata.uid,
  });
  expect((await scenario.get(secrets, "plain"))?.data).toBeUndefined();
  await scenario.change(secrets, "t", { data: { "ca.crt": Buffer.from("old").toString("base64"), token: null } });
  await scenario.settle();
  expect(read(await scenario.get(secrets, "t"))).toMatchObject({ "ca.crt": "PEM", token: "default/t/robot/uid" });
});

test("deletes a Secret whose account is gone, was never there, or is another by now", async () => {
  const scenario = await begin();
  await scenario.create(secrets, tokenSecret("t", "robot"));
  await scenario.create(secrets, tokenSecret("nobodys", "ghost"));
  await scenario.create(secrets, tokenSecret("former", "robot", { "kubernetes.io/service-account.uid": "before" }));
  await scenario.settle();
  expect((await scenario.list(secrets)).map(({ metadata }) => metadata.name)).toEqual(["t"]);
  await scenario.delete(serviceAccounts, "robot");
  await scenario.settle();
  expect(await scenario.list(secrets)).toEqual([]);
  expect(scenario.problems).toEqual([]);
});

test("takes a deleted Secret off its account's list", async () => {
  const scenario = await begin();
  await scenario.create(secrets, tokenSecret("t", "robot"));
  await scenario.settle();
  await scenario.delete(secrets, "t");
  await scenario.settle();
  expect((await scenario.get(serviceAccounts, "robot"))?.secrets).toEqual([{ name: "other" }]);
});
