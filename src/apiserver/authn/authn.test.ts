import { X509Certificate } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import {
  csiDrivers,
  nodes,
  pods,
  type SecretReference,
  secrets,
  serviceAccounts,
  type UserInfo,
} from "../../api/index.js";
import { seededRandom } from "../../internal/random.js";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { FixtureCache } from "../admission/fixture-cache.js";
import { type CertificateAuthority, createCertificateAuthority } from "../pki/certificate-authority.js";
import { createSigningKey } from "../pki/cluster-pki.js";
import type { Authenticator } from "./authenticator.js";
import { bearerAuthenticator, bearerTokenOf, staticTokenAuthenticator } from "./bearer.js";
import { certificateAuthenticator } from "./certificates.js";
import { frontProxyAuthenticator } from "./front-proxy.js";
import type { ReceivedHeaders } from "./header-values.js";
import { impersonationOf } from "./impersonation.js";
import { selfSubjectReviewEvaluator, tokenReviewEvaluator } from "./reviews.js";
import { serviceAccountTokenAuthenticator } from "./service-account-tokens.js";
import { createTokenIssuer, type TokenIssuer } from "./token-issuer.js";
import { tokenRequestEvaluator } from "./token-request.js";
import { unionAuthenticator, withAnonymous } from "./union.js";

const start = Date.parse("2026-01-01T00:00:00Z");
const noPeer = { certificate: undefined, address: undefined };

let ca: CertificateAuthority;
let otherCa: CertificateAuthority;
let key: Awaited<ReturnType<typeof createSigningKey>>;

beforeAll(async () => {
  const clock = new VirtualClock(start);
  ca = await createCertificateAuthority({ commonName: "kubernetes", clock });
  otherCa = await createCertificateAuthority({ commonName: "other", clock });
  key = await createSigningKey();
});

async function peerOf(authority: CertificateAuthority, usages: readonly ("server" | "client")[] = ["client"]) {
  const issued = await authority.issue({ commonName: "jane", organizations: ["dev", "ops"], usages });
  return { certificate: new X509Certificate(issued.certificate), address: undefined };
}

describe("certificates", () => {
  const authenticate = async (peer: Awaited<ReturnType<typeof peerOf>>, clock = new VirtualClock(start)) =>
    certificateAuthenticator({ authorities: [ca.certificate], clock }).authenticate({ headers: {}, peer });

  test("name a user and groups", async () => {
    const found = await authenticate(await peerOf(ca));
    expect(found?.user).toMatchObject({ username: "jane", groups: ["dev", "ops", "system:authenticated"] });
    expect(found?.user.extra?.["authentication.kubernetes.io/credential-id"]?.[0]).toMatch(/^X509SHA256=[0-9a-f]{64}$/);
  });

  test("of others, for servers, or over, are refused", async () => {
    await expect(authenticate(await peerOf(otherCa))).rejects.toThrow("unknown authority");
    await expect(authenticate(await peerOf(ca, ["server"]))).rejects.toThrow("incompatible key usage");
    const clock = new VirtualClock(start);
    await clock.advance(2 * 365 * 24 * 3600 * 1000);
    await expect(authenticate(await peerOf(ca), clock)).rejects.toThrow("expired");
  });
});

/** Headers as Node gives them: repeated ones joined, and all of them raw. */
function receivedHeaders(...given: readonly (readonly [name: string, value: string])[]): Required<ReceivedHeaders> {
  const headers: Record<string, string> = {};
  for (const [name, value] of given) {
    const key = name.toLowerCase();
    headers[key] = headers[key] === undefined ? value : `${headers[key]}, ${value}`;
  }
  return { headers, rawHeaders: given.flat() };
}

describe("front proxies", () => {
  const options = () => ({ authorities: [ca.certificate], allowedNames: ["jane"], clock: new VirtualClock(start) });

  test("are believed by their certificate, and their headers go no further", async () => {
    const latin1 = (text: string): string => Buffer.from(text).toString("latin1");
    const received = receivedHeaders(
      ["X-Remote-User", latin1("bøb")],
      ["X-Remote-Group", "a, system:masters"],
      ["x-remote-group", "b"],
      ["X-Remote-Extra-Scopes", "s"],
    );
    const { headers } = received;
    const found = await frontProxyAuthenticator(options()).authenticate({ ...received, peer: await peerOf(ca) });
    // A comma in a group's name makes no second group of it.
    const groups = ["a, system:masters", "b", "system:authenticated"];
    expect(found?.user).toMatchObject({ username: "bøb", groups });
    expect({ ...found?.user.extra }).toEqual({ scopes: ["s"] });
    expect(Object.keys(headers)).toEqual([]);
  });

  test("are nobody without it", async () => {
    const headers = { "x-remote-user": "bob" };
    expect(frontProxyAuthenticator(options()).authenticate({ headers, peer: noPeer })).toBeUndefined();
    expect(frontProxyAuthenticator(options()).authenticate({ headers, peer: await peerOf(otherCa) })).toBeUndefined();
    const named = frontProxyAuthenticator({ ...options(), allowedNames: ["proxy"] });
    expect(named.authenticate({ headers, peer: await peerOf(ca) })).toBeUndefined();
  });
});

describe("union", () => {
  const fixed = (name: string, result: UserInfo | Error | undefined): Authenticator => ({
    name,
    authenticate() {
      if (result instanceof Error) throw result;
      return result === undefined ? undefined : { user: result };
    },
  });
  const jane: UserInfo = { username: "jane", groups: [] };

  test.each([
    ["the first that knows", [undefined, jane], "jane"],
    ["a bad credential beside a good one", [new Error("bad"), jane], "jane"],
    ["nobody", [undefined, undefined], "system:anonymous"],
  ])("%s", async (_, results, username) => {
    const union = withAnonymous(unionAuthenticator(results.map((result, at) => fixed(String(at), result))));
    expect((await union.authenticate({ headers: {}, peer: noPeer }))?.user.username).toBe(username);
  });

  test("bad credentials alone are never anonymous", () => {
    const union = withAnonymous(unionAuthenticator([fixed("a", new Error("bad")), fixed("b", undefined)]));
    expect(() => union.authenticate({ headers: {}, peer: noPeer })).toThrow();
  });

  const nobody = unionAuthenticator([]);
  test.each([
    ["everywhere", undefined, "/api", "system:anonymous"],
    ["nowhere", { enabled: false }, "/healthz", undefined],
    ["on a path that is named", { enabled: true, conditions: [{ path: "/healthz" }] }, "/healthz", "system:anonymous"],
    ["not below it", { enabled: true, conditions: [{ path: "/healthz" }] }, "/healthz/etcd", undefined],
    ["not on another", { enabled: true, conditions: [{ path: "/healthz" }] }, "/api", undefined],
  ])("anonymous requests are somebody %s", async (_, anonymous, path, username) => {
    const found = await withAnonymous(nobody, anonymous).authenticate({ headers: {}, peer: noPeer, path });
    expect(found?.user.username).toBe(username);
  });
});

test.each([
  [{ authorization: "Bearer abc" }, "abc"],
  [{ authorization: "bearer abc" }, "abc"],
  [{ authorization: "Basic abc" }, undefined],
  [
    {
      "sec-websocket-protocol": `x, base64url.bearer.authorization.k8s.io.${Buffer.from("abc").toString("base64url")}`,
    },
    "abc",
  ],
  [{}, undefined],
])("the token of %j is %s", (headers, token) => {
  expect(bearerTokenOf(headers)).toBe(token);
});

test("impersonation headers", () => {
  expect(impersonationOf(receivedHeaders())).toBeUndefined();
  expect(
    impersonationOf(
      receivedHeaders(
        ["Impersonate-User", "bob"],
        ["Impersonate-Group", "a, b"],
        ["Impersonate-Group", "c"],
        ["Impersonate-Uid", "1"],
        ["Impersonate-Extra-acme.com%2fx", "y"],
      ),
    ),
  ).toMatchObject({ username: "bob", groups: ["a, b", "c"], uid: "1", extra: { "acme.com/x": ["y"] } });
  expect(() => impersonationOf(receivedHeaders(["Impersonate-Group", "a"]))).toThrow("without impersonating a user");
});

describe("service account tokens", () => {
  const setup = () => {
    const clock = new VirtualClock(start);
    const issuer: TokenIssuer = createTokenIssuer({
      issuer: "https://api",
      keys: [key],
      clock,
      random: seededRandom(1),
    });
    const cache = new FixtureCache()
      .put(serviceAccounts, { metadata: { name: "sa", namespace: "a", uid: "u-sa" } })
      .put(nodes, { metadata: { name: "n", uid: "u-node" } })
      .put(pods, {
        metadata: { name: "p", namespace: "a", uid: "u-pod" },
        spec: {
          serviceAccountName: "sa",
          nodeName: "n",
          volumes: [
            {
              projected: {
                sources: [{ serviceAccountToken: { path: "t" } }, { serviceAccountToken: { audience: "vault" } }],
              },
            },
            { csi: { driver: "csi.example.com" } },
          ],
        },
      })
      .put(csiDrivers, { metadata: { name: "csi.example.com" }, spec: { tokenRequests: [{ audience: "storage" }] } });
    const tokens = [serviceAccountTokenAuthenticator({ issuer, cache, clock })];
    const bearer = bearerAuthenticator({ tokens, audiences: ["https://api"], clock });
    const request = tokenRequestEvaluator({ issuer, cache, clock, audiences: ["https://api"] });
    const ask = async (spec: object, user: UserInfo = { username: "jane", groups: [] }) => {
      const answer = await request({
        verb: "create",
        group: "",
        version: "v1",
        resource: "serviceaccounts",
        subresource: "token",
        namespace: "a",
        name: "sa",
        user,
        body: { spec },
      });
      return answer as unknown as { status: { token: string; expirationTimestamp: string } };
    };
    const who = async (token: string) =>
      (await bearer.authenticate({ headers: { authorization: `Bearer ${token}` }, peer: noPeer }))?.user;
    const pod = { apiVersion: "v1", kind: "Pod", name: "p", uid: "u-pod" };
    return { clock, issuer, cache, ask, who, pod, tokens };
  };
  const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());

  test("carry upstream's claims", async () => {
    const { ask, pod } = setup();
    const { status } = await ask({ boundObjectRef: pod, expirationSeconds: 3607 });
    const iat = start / 1000;
    expect(claimsOf(status.token)).toEqual({
      aud: ["https://api"],
      exp: iat + 365 * 24 * 3600,
      iat,
      iss: "https://api",
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
      "kubernetes.io": {
        namespace: "a",
        node: { name: "n", uid: "u-node" },
        pod: { name: "p", uid: "u-pod" },
        serviceaccount: { name: "sa", uid: "u-sa" },
        warnafter: iat + 3607,
      },
      nbf: iat,
      sub: "system:serviceaccount:a:sa",
    });
    expect(status.expirationTimestamp).toBe("2026-01-01T01:00:07Z");
  });

  test("are good while everything that they are bound to is there", async () => {
    const { ask, who, cache, clock, pod } = setup();
    const { status } = await ask({ boundObjectRef: pod });
    expect(await who(status.token)).toMatchObject({
      username: "system:serviceaccount:a:sa",
      uid: "u-sa",
      groups: ["system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated"],
      extra: { "authentication.kubernetes.io/pod-name": ["p"], "authentication.kubernetes.io/node-name": ["n"] },
    });
    cache.put(pods, { metadata: { name: "p", namespace: "a", uid: "another" } });
    await clock.advance(11_000);
    await expect(who(status.token)).rejects.toThrow();
  });

  test("end in time, and are for their audience only", async () => {
    const { ask, who, clock } = setup();
    const short = await ask({ expirationSeconds: 600 });
    expect((await who(short.status.token))?.username).toBe("system:serviceaccount:a:sa");
    await clock.advance(601_000);
    await expect(who(short.status.token)).rejects.toThrow();
    const foreign = await ask({ audiences: ["vault"] });
    await expect(who(foreign.status.token)).rejects.toThrow();
  });

  test("signed by somebody else, or changed, are refused", async () => {
    const { who, ask } = setup();
    const { status } = await ask({});
    const [head, body, signature] = status.token.split(".");
    const forged = { ...claimsOf(status.token), sub: "system:serviceaccount:kube-system:admin" };
    await expect(
      who([head, Buffer.from(JSON.stringify(forged)).toString("base64url"), signature].join(".")),
    ).rejects.toThrow();
    const none = Buffer.from('{"alg":"none"}').toString("base64url");
    await expect(who(`${none}.${body}.`)).rejects.toThrow();
  });

  test.each([
    [
      "too short",
      { expirationSeconds: 5 },
      "spec.expirationSeconds: Invalid value: 5: may not specify a duration less than 10 minutes",
    ],
    [
      "for a pod that is not there",
      { boundObjectRef: { apiVersion: "v1", kind: "Pod", name: "x" } },
      'pods "x" not found',
    ],
    [
      "for a pod of before",
      { boundObjectRef: { apiVersion: "v1", kind: "Pod", name: "p", uid: "old" } },
      "the UID in the bound object reference (old) does not match the UID in record",
    ],
    [
      "for something odd",
      { boundObjectRef: { apiVersion: "v1", kind: "Service", name: "x" } },
      "cannot bind token to object of type v1, Kind=Service",
    ],
  ])("%s are not made", async (_, spec, message) => {
    await expect(setup().ask(spec)).rejects.toThrow(message);
  });

  test("a node gets those of its own pods only", async () => {
    const { ask, pod } = setup();
    const node = (name: string): UserInfo => ({ username: `system:node:${name}`, groups: ["system:nodes"] });
    await ask({ boundObjectRef: pod }, node("n"));
    await expect(ask({ boundObjectRef: pod }, node("m"))).rejects.toThrow("scheduled on a different node");
    await expect(ask({}, node("n"))).rejects.toThrow("node requested token not bound to a pod");
    for (const audience of ["vault", "storage"]) await ask({ boundObjectRef: pod, audiences: [audience] }, node("n"));
    await expect(ask({ boundObjectRef: pod, audiences: ["bank"] }, node("n"))).rejects.toThrow(
      'audience "bank" not found in pod spec volume',
    );
    await expect(ask({ boundObjectRef: pod, audiences: ["vault", "storage"] }, node("n"))).rejects.toThrow(
      "node may only request 0 or 1 audiences",
    );
  });

  test("of Secrets are good while the Secret is there", async () => {
    const { issuer, who, cache } = setup();
    const reference: SecretReference = { name: "s", namespace: "a" };
    const token = await issuer.issueLegacy({
      namespace: "a",
      secretName: reference.name ?? "",
      serviceAccount: { name: "sa", uid: "u-sa" },
    });
    await expect(who(token)).rejects.toThrow();
    cache.put(secrets, { metadata: { name: "s", namespace: "a" } });
    expect((await who(token))?.username).toBe("system:serviceaccount:a:sa");
  });

  test("reviews say whose they are", async () => {
    const { ask, tokens } = setup();
    const { status } = await ask({});
    const evaluate = tokenReviewEvaluator({
      tokens: [...tokens, staticTokenAuthenticator(new Map())],
      audiences: ["https://api"],
    });
    const review = (token: string) =>
      evaluate({
        verb: "create",
        group: "authentication.k8s.io",
        version: "v1",
        resource: "tokenreviews",
        user: { username: "x", groups: [] },
        body: { spec: { token } },
      });
    expect(await review(status.token)).toMatchObject({
      status: { authenticated: true, user: { username: "system:serviceaccount:a:sa" }, audiences: ["https://api"] },
    });
    expect(await review("nonsense")).toMatchObject({ status: { user: {}, error: "invalid bearer token" } });
    const self = selfSubjectReviewEvaluator(new VirtualClock(start));
    expect(
      self({ verb: "create", group: "", version: "v1", resource: "x", user: { username: "jane", groups: ["dev"] } }),
    ).toMatchObject({ status: { userInfo: { username: "jane", groups: ["dev"] } } });
  });
});
