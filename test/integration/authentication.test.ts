import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { selfSubjectReviews, tokenReviews, type UserInfo } from "../../src/api/index.js";
import { type AuthenticationFile, authenticationFile } from "../../src/apiserver/authn/jwt/authentication-file.js";
import { webhookTokenAuthenticator } from "../../src/apiserver/authn/token-webhook.js";
import { webhookClient } from "../../src/apiserver/outbound/webhook.js";
import {
  type CertificateAuthority,
  createCertificateAuthority,
} from "../../src/apiserver/pki/certificate-authority.js";
import { createClient, HttpTransport } from "../../src/client/index.js";
import { formatKubeconfig } from "../../src/client/kubeconfig.js";
import { type Cluster, startCluster } from "../../src/cluster/cluster.js";
import { webhookConnection } from "../../src/cluster/webhook-connection.js";
import { realClock } from "../../src/internal/clock.js";
import { MemoryStore } from "../../src/store/index.js";
import { type JsonServer, jsonServer } from "./support/json-server.js";

// An issuer of tokens and a webhook that knows others, both over HTTPS on loopback, and a cluster that asks them.
let folder: string;
let ca: CertificateAuthority;
let keys: Awaited<ReturnType<typeof generateKeyPair>>;
let issuer: JsonServer;
let webhook: JsonServer;
let file: AuthenticationFile;
let store: MemoryStore;
let cluster: Cluster;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "authentication-"));
  ca = await createCertificateAuthority({ commonName: "outside", clock: realClock });
  keys = await generateKeyPair("ES256");
  const jwk = { ...(await exportJWK(keys.publicKey)), alg: "ES256", use: "sig", kid: "one" };
  issuer = await jsonServer(ca, ({ url }) => {
    if (url === "/keys") return { keys: [jwk] };
    return url === "/.well-known/openid-configuration" ? { issuer: issuer.url, jwks_uri: `${issuer.url}/keys` } : 404;
  });
  let fails = 1;
  webhook = await jsonServer(ca, ({ body, client, url }) => {
    if (client !== "apiserver" || url !== "/ask") return 403;
    const { apiVersion, kind, spec } = body as { apiVersion: string; kind: string; spec: { token: string } };
    const authenticated = spec.token === "from-the-webhook";
    // The first time it fails, as something may that is soon over.
    if (authenticated && fails-- > 0) return 500;
    const user = { username: "hook", groups: ["hooked"], extra: { "example.com/k": ["v"] } };
    return { apiVersion, kind, status: authenticated ? { authenticated, user } : { authenticated } };
  });
  await configure("claims.sub");
  file = await authenticationFile(join(folder, "authentication.yaml"), { intervalMs: 20 });
  const connection = await webhookConnection(await writeWebhookKubeconfig());
  store = new MemoryStore();
  cluster = await startCluster({
    store,
    scheduler: false,
    controllers: [],
    parts: () => [file.component],
    authentication: {
      anonymous: file.anonymous,
      tokenAuthenticators: (context) => [
        ...file.tokenAuthenticators(context),
        webhookTokenAuthenticator({
          ...context,
          post: webhookClient(connection, { ...context, timeoutMs: 5_000 }),
          version: "v1beta1",
          cacheMs: 60_000,
        }),
      ],
    },
  });
});

afterAll(async () => {
  await cluster?.stop();
  await store?.[Symbol.asyncDispose]();
  for (const server of [issuer, webhook]) await server?.[Symbol.asyncDispose]();
  if (folder !== undefined) await rm(folder, { recursive: true });
});

async function configure(username: string): Promise<void> {
  const configuration = {
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "AuthenticationConfiguration",
    jwt: [
      {
        issuer: { url: issuer.url, audiences: ["api"], certificateAuthority: ca.certificate },
        claimMappings: { username: { expression: username }, groups: { claim: "groups", prefix: "oidc:" } },
        userValidationRules: [{ expression: "user.username != 'root'" }],
      },
    ],
    anonymous: { enabled: true, conditions: [{ path: "/livez" }] },
  };
  await writeFile(join(folder, "authentication.yaml"), JSON.stringify(configuration));
}

async function writeWebhookKubeconfig(): Promise<string> {
  const { certificate, key } = await ca.issue({ commonName: "apiserver", usages: ["client"] });
  const base64 = (pem: string): string => Buffer.from(pem).toString("base64");
  const path = join(folder, "webhook.kubeconfig");
  const text = await formatKubeconfig({
    name: "webhook",
    cluster: { server: `${webhook.url}/ask`, "certificate-authority-data": base64(ca.certificate) },
    user: { "client-certificate-data": base64(certificate), "client-key-data": base64(key) },
  });
  await writeFile(path, text);
  return path;
}

function tokenOf(claims: object): Promise<string> {
  const all = { iss: issuer.url, aud: "api", exp: Math.floor(Date.now() / 1000) + 600, ...claims };
  return new SignJWT(all).setProtectedHeader({ alg: "ES256", kid: "one" }).sign(keys.privateKey);
}

async function whoIs(token: string | undefined): Promise<Partial<UserInfo> | undefined> {
  const access = { server: cluster.url, ca: cluster.pki.ca.certificate };
  await using transport = new HttpTransport({ ...access, ...(token === undefined ? {} : { token: () => token }) });
  const review = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview", metadata: {} } as const;
  return (await createClient(transport).create(selfSubjectReviews, review)).status?.userInfo;
}

test("a token of an issuer logs in, until the rules that are in force change", async () => {
  const jane = await tokenOf({ sub: "jane", groups: ["dev"] });
  expect(await whoIs(jane)).toMatchObject({ username: "jane", groups: ["oidc:dev", "system:authenticated"] });
  await expect(whoIs(await tokenOf({ sub: "root" }))).rejects.toMatchObject({ status: { code: 401 } });
  await configure("'changed:' + claims.sub");
  const deadline = Date.now() + 10_000;
  let name: string | undefined;
  // Each token is another one: those that are known count for a while.
  for (let number = 0; name !== "changed:joe" && Date.now() < deadline; number++) {
    name = (await whoIs(await tokenOf({ sub: "joe", number })))?.username;
  }
  expect(name).toBe("changed:joe");
  await writeFile(join(folder, "authentication.yaml"), "kind: Nothing");
  expect((await whoIs(await tokenOf({ sub: "jack" })))?.username).toBe("changed:jack");
});

test("a token of the webhook's logs in, and it is asked once", async () => {
  const user = { username: "hook", groups: ["hooked", "system:authenticated"], extra: { "example.com/k": ["v"] } };
  expect(await whoIs("from-the-webhook")).toMatchObject(user);
  expect(await whoIs("from-the-webhook")).toMatchObject(user);
  const sent = webhook.asked.filter(({ body }) => JSON.stringify(body).includes("from-the-webhook"));
  // The first time it did not answer.
  expect(sent.map(({ body }) => (body as { apiVersion: string }).apiVersion)).toEqual([
    "authentication.k8s.io/v1beta1",
    "authentication.k8s.io/v1beta1",
  ]);
  await expect(whoIs("nobody's")).rejects.toMatchObject({ status: { code: 401 } });
});

test("a TokenReview knows them as well", async () => {
  const review = async (token: string, audiences?: readonly string[]) =>
    (
      await cluster.client.create(tokenReviews, {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenReview",
        metadata: {},
        spec: { token, ...(audiences === undefined ? {} : { audiences: [...audiences] }) },
      })
    ).status;
  expect(await review(await tokenOf({ sub: "jim" }))).toMatchObject({
    authenticated: true,
    audiences: ["https://kubernetes.default.svc.cluster.local"],
  });
  expect((await review(await tokenOf({ sub: "jim" }), ["vault"]))?.authenticated).not.toBe(true);
});

test("who shows nothing is somebody only where the file says so", async () => {
  await expect(whoIs(undefined)).rejects.toMatchObject({ status: { code: 401 } });
  await using transport = new HttpTransport({ server: cluster.url, ca: cluster.pki.ca.certificate });
  expect(await transport.getPath("/livez")).toBe("ok");
  await expect(transport.getPath("/readyz")).rejects.toMatchObject({ status: { code: 401 } });
});
