import { expect, test } from "vitest";
import { secrets } from "../../api/index.js";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { FixtureCache } from "../admission/fixture-cache.js";
import { forAudiences } from "./audiences.js";
import { bootstrapTokenAuthenticator } from "./bootstrap-tokens.js";

const start = Date.parse("2026-01-01T00:00:00Z");
const good = {
  "token-id": "abcdef",
  "token-secret": "0123456789abcdef",
  "usage-bootstrap-authentication": "true",
};

interface Kept {
  readonly name?: string;
  readonly type?: string;
  readonly metadata?: object;
  readonly fields?: Readonly<Record<string, string>>;
}

function authenticator({ name = "bootstrap-token-abcdef", type, metadata, fields = {} }: Kept = {}) {
  const data = Object.fromEntries(
    Object.entries({ ...good, ...fields }).map(([key, text]) => [key, Buffer.from(text).toString("base64")]),
  );
  const cache = new FixtureCache().put(secrets, {
    metadata: { name, namespace: "kube-system", ...metadata },
    type: type ?? "bootstrap.kubernetes.io/token",
    data,
  });
  return bootstrapTokenAuthenticator({ cache, clock: new VirtualClock(start) });
}

test.each([
  ["no more groups", {}, ["system:bootstrappers"]],
  [
    "those of kubeadm",
    { "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token, system:bootstrappers:a" },
    ["system:bootstrappers", "system:bootstrappers:a", "system:bootstrappers:kubeadm:default-node-token"],
  ],
  ["a time to come", { expiration: "2026-01-01T00:00:01Z" }, ["system:bootstrappers"]],
  ["a time to come elsewhere", { expiration: "2025-12-31T23:00:01-01:00" }, ["system:bootstrappers"]],
])("a token with %s logs in", async (_, fields, groups) => {
  const found = await authenticator({ fields }).authenticateToken("abcdef.0123456789abcdef", []);
  expect(found).toEqual({ user: { username: "system:bootstrap:abcdef", groups } });
});

test.each<[name: string, kept: Kept]>([
  ["of another type", { type: "Opaque" }],
  ["under another name", { name: "bootstrap-token-fedcba" }],
  ["of another id", { fields: { "token-id": "fedcba" } }],
  ["of another secret", { fields: { "token-secret": "0123456789abcdee" } }],
  ["without a secret", { fields: { "token-secret": "" } }],
  ["that is over", { fields: { expiration: "2026-01-01T00:00:00Z" } }],
  ["of no readable time", { fields: { expiration: "tomorrow" } }],
  ["that only signs", { fields: { "usage-bootstrap-authentication": "false", "usage-bootstrap-signing": "true" } }],
  ["with a group of others", { fields: { "auth-extra-groups": "system:bootstrappers:a,system:masters" } }],
  ["that is being deleted", { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } }],
])("a token %s is not known", async (_, kept) => {
  expect(await authenticator(kept).authenticateToken("abcdef.0123456789abcdef", [])).toBeUndefined();
});

test.each(["", "abcdef", "abcdef.0123456789abcdef0", "ABCDEF.0123456789abcdef", "abcdef.0123456789abcdef\n"])(
  "%j is no bootstrap token",
  async (token) => {
    expect(await authenticator().authenticateToken(token, [])).toBeUndefined();
  },
);

test.each([
  ["the API server", ["api"], ["api"]],
  ["the API server among others", ["vault", "api"], ["api"]],
  ["whom it may", [], []],
])("a token that knows no audiences is good for %s", async (_, wanted, audiences) => {
  const found = await forAudiences(["api"], authenticator()).authenticateToken("abcdef.0123456789abcdef", wanted);
  expect(found).toMatchObject({ user: { username: "system:bootstrap:abcdef" }, audiences });
});

test("a token that knows no audiences is nobody's elsewhere", async () => {
  const tokens = forAudiences(["api"], authenticator());
  expect(await tokens.authenticateToken("abcdef.0123456789abcdef", ["vault"])).toBeUndefined();
});
