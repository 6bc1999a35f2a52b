import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  configMaps,
  selfSubjectReviews,
  subjectAccessReviews,
  tokenReviews,
  type UserInfo,
} from "../../src/api/index.js";
import { type AuthenticationFile, authenticationFile } from "../../src/apiserver/authn/jwt/authentication-file.js";
import { webhookTokenAuthenticator } from "../../src/apiserver/authn/token-webhook.js";
import { type AuthorizationFile, authorizationFile } from "../../src/apiserver/authz/configured.js";
import { webhookClient } from "../../src/apiserver/outbound/webhook.js";
import {
  type CertificateAuthority,
  createCertificateAuthority,
} from "../../src/apiserver/pki/certificate-authority.js";
import { createClient, HttpTransport } from "../../src/client/index.js";
import { accessFrom, formatKubeconfig, parseKubeconfig } from "../../src/client/kubeconfig.js";
import { type Cluster, startCluster } from "../../src/cluster/cluster.js";
import { webhookConnection } from "../../src/cluster/webhook-connection.js";
import { realClock } from "../../src/internal/clock.js";
import { MemoryStore } from "../../src/store/index.js";
import { type JsonServer, jsonServer } from "./support/json-server.js";

// An issuer of tokens, a webhook that knows others and one that decides, all over HTTPS on loopback, and a cluster that asks them.
let folder: string;
let ca: CertificateAuthority;
let keys: Awaited<ReturnType<typeof generateKeyPair>>;
let issuer: JsonServer;
let webhook: JsonServer;
let judge: JsonServer;
let file: AuthenticationFile;
let decided: AuthorizationFile;
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
  const connection = await webhookConnection(await writeKubeconfig("webhook", `${webhook.url}/ask`));
  judge = await jsonServer(ca, ({ body }) => {
    const { apiVersion, kind, spec } = body as AccessReview;
    const { namespace } = spec.resourceAttributes ?? {};
    if (namespace === "broken") return 503;
    return {
      apiVersion,
      kind,
      status: { allowed: namespace === "open", denied: namespace === "closed", reason: "so" },
    };
  });
  await authorize("request.user == 'judged'");
  decided = await authorizationFile(join(folder, "authorization.yaml"), { connect: webhookConnection, intervalMs: 20 });
  store = new MemoryStore();
  cluster = await startCluster({
    store,
    scheduler: false,
    controllers: [],
    parts: () => [file.component, decided.component],
    authorizers: decided.authorizers,
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
  for (const server of [issuer, webhook, judge]) await server?.[Symbol.asyncDispose]();
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

/** A webhook that is asked about what meets the condition, and upstream's usual set behind it. */
async function authorize(condition: string): Promise<void> {
  const kubeConfigFile = await writeKubeconfig("judge", judge.url);
  const configuration = {
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "AuthorizationConfiguration",
    authorizers: [
      {
        type: "Webhook",
        name: "judge.example.com",
        webhook: {
          timeout: "5s",
          subjectAccessReviewVersion: "v1",
          matchConditionSubjectAccessReviewVersion: "v1",
          failurePolicy: "Deny",
          connectionInfo: { type: "KubeConfigFile", kubeConfigFile },
          matchConditions: [{ expression: condition }],
        },
      },
      { type: "Node", name: "node" },
      { type: "RBAC", name: "rbac" },
    ],
  };
  await writeFile(join(folder, "authorization.yaml"), JSON.stringify(configuration));
}

interface AccessReview {
  readonly apiVersion: string;
  readonly kind: string;
  readonly spec: { readonly resourceAttributes?: { readonly namespace?: string } };
}

async function writeKubeconfig(name: string, server: string): Promise<string> {
  const { certificate, key } = await ca.issue({ commonName: "apiserver", usages: ["client"] });
  const base64 = (pem: string): string => Buffer.from(pem).toString("base64");
  const path = join(folder, `${name}.kubeconfig`);
  const text = await formatKubeconfig({
    name,
    cluster: { server, "certificate-authority-data": base64(ca.certificate) },
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

const list = (username: string, namespace: string) =>
  createClient(cluster.api.transport({ username, groups: [] }, "test")).list(configMaps, { namespace });

test("a webhook decides about those whom its conditions name, and roles about others", async () => {
  expect((await list("judged", "open")).items).toEqual([]);
  await expect(list("judged", "closed")).rejects.toMatchObject({ status: { code: 403 } });
  await expect(list("judged", "default")).rejects.toMatchObject({ status: { code: 403 } });
  await expect(list("judged", "broken")).rejects.toMatchObject({ status: { code: 500 } });
  const before = judge.asked.length;
  await expect(list("other", "open")).rejects.toMatchObject({ status: { code: 403 } });
  await list("judged", "open");
  expect(judge.asked).toHaveLength(before);
  expect(judge.asked.every(({ client }) => client === "apiserver")).toBe(true);
});

test("a SubjectAccessReview says why, and what went wrong", async () => {
  const review = async (namespace: string) =>
    (
      await cluster.client.create(subjectAccessReviews, {
        apiVersion: "authorization.k8s.io/v1",
        kind: "SubjectAccessReview",
        metadata: {},
        spec: { user: "judged", resourceAttributes: { verb: "get", resource: "pods", namespace } },
      })
    ).status;
  expect(await review("open")).toEqual({ allowed: true, reason: "so" });
  expect(await review("closed")).toEqual({ allowed: false, denied: true, reason: "so" });
  expect((await review("broken"))?.evaluationError).toContain("the webhook answered 503");
});

test("what is decided is counted", async () => {
  await using transport = new HttpTransport({
    server: cluster.url,
    ca: cluster.pki.ca.certificate,
    clientCertificate: cluster.pki.admin.certificate,
    clientKey: cluster.pki.admin.key,
  });
  const text = await transport.getPath("/metrics");
  for (const series of [
    'apiserver_authorization_decisions_total{decision="allowed",name="judge.example.com",type="Webhook"} ',
    'apiserver_authorization_decisions_total{decision="denied",name="judge.example.com",type="Webhook"} ',
    'apiserver_authorization_webhook_evaluations_total{name="judge.example.com",result="error"} ',
    'apiserver_authorization_match_condition_exclusions_total{name="judge.example.com",type="Webhook"} ',
    'authentication_attempts{result="success"} ',
    'authentication_attempts{result="failure"} ',
    'authentication_attempts{result="error"} ',
    'authenticated_user_requests{username="other"} ',
    'authorization_attempts_total{result="denied"} ',
  ]) {
    expect(text).toContain(series);
  }
});

test("who is asked changes with the file", async () => {
  await authorize("request.user == 'other'");
  const deadline = Date.now() + 10_000;
  const allowed = (): Promise<boolean> =>
    list("other", "open").then(
      () => true,
      () => false,
    );
  while (!(await allowed()) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
  expect((await list("other", "open")).items).toEqual([]);
  await expect(list("judged", "open")).rejects.toMatchObject({ status: { code: 403 } });
});

/** A kubeconfig whose plugin prints one answer after the other, and says in a file how often it was run. */
async function pluginClient(
  statuses: readonly object[],
): Promise<{ readonly transport: HttpTransport; readonly runs: () => Promise<number> }> {
  const counter = join(folder, `runs-${statuses.length}-${Math.random()}`);
  const script = `
    const { appendFileSync, readFileSync } = require("node:fs");
    appendFileSync(process.env.COUNTER, "x");
    const statuses = ${JSON.stringify(statuses)};
    const status = statuses[Math.min(readFileSync(process.env.COUNTER).length, statuses.length) - 1];
    const { apiVersion, spec } = JSON.parse(process.env.KUBERNETES_EXEC_INFO);
    if (spec.cluster.server !== ${JSON.stringify(cluster.url)}) process.exit(1);
    console.log(JSON.stringify({ apiVersion, kind: "ExecCredential", status }));`;
  const exec = {
    apiVersion: "client.authentication.k8s.io/v1",
    command: process.execPath,
    args: ["-e", script],
    env: [{ name: "COUNTER", value: counter }],
    interactiveMode: "Never",
    provideClusterInfo: true,
  };
  const authority = Buffer.from(cluster.pki.ca.certificate).toString("base64");
  const text = await formatKubeconfig({
    name: "plugin",
    cluster: { server: cluster.url, "certificate-authority-data": authority },
    user: { exec },
  });
  const { options } = await accessFrom(await parseKubeconfig(text));
  return { transport: new HttpTransport(options), runs: async () => (await readFile(counter)).length };
}

async function nameBy(transport: HttpTransport): Promise<string | undefined> {
  const review = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview", metadata: {} } as const;
  return (await createClient(transport).create(selfSubjectReviews, review)).status?.userInfo?.username;
}

test("a plugin of a kubeconfig logs in, and is asked again when it is refused", async () => {
  const { transport, runs } = await pluginClient([{ token: "bad" }, { token: "from-the-webhook" }]);
  await using _ = transport;
  expect(await nameBy(transport)).toBe("hook");
  expect(await nameBy(transport)).toBe("hook");
  expect(await runs()).toBe(2);
});

test("a plugin that does not help is run once more for each request, not for ever", async () => {
  const { transport, runs } = await pluginClient([{ token: "bad" }]);
  await using _ = transport;
  await expect(nameBy(transport)).rejects.toMatchObject({ status: { code: 401 } });
  expect(await runs()).toBe(2);
});

test("a plugin may give certificates, which connections are made anew for", async () => {
  const pairs = await Promise.all(["n1", "n2"].map((name) => cluster.pki.node(name)));
  const [first, second] = pairs.map(({ certificate, key }) => ({
    clientCertificateData: certificate,
    clientKeyData: key,
  }));
  const over = new Date(Date.now() - 1000).toISOString();
  const { transport } = await pluginClient([{ ...first, expirationTimestamp: over }, { ...second }]);
  await using _ = transport;
  expect(await nameBy(transport)).toBe("system:node:n1");
  expect(await nameBy(transport)).toBe("system:node:n2");
});
