import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { VirtualClock } from "../../../internal/virtual-clock.js";
import type { JwtConfiguration } from "./configuration.js";
import { type JwtAuthenticatorOptions, jwtAuthenticator } from "./jwt-authenticator.js";
import { compileAuthentication } from "./read-configuration.js";

const start = Date.parse("2026-01-01T00:00:00Z");
const url = "https://issuer.example.com";
const now = start / 1000;

type Pair = Awaited<ReturnType<typeof generateKeyPair>>;

let first: Pair;
let second: Pair;

beforeAll(async () => {
  [first, second] = await Promise.all([generateKeyPair("ES256"), generateKeyPair("RS256")]);
});

/** An issuer as its documents have it, with what was asked of it. */
class Issuer {
  readonly asked: string[] = [];
  answers = true;
  documentIssuer = url;
  keys: { readonly kid?: string; readonly pair: Pair; readonly alg: string }[] = [];

  readonly fetchJson = async (asked: string): Promise<unknown> => {
    this.asked.push(asked);
    if (!this.answers) throw new Error("gone");
    if (!asked.endsWith("/keys")) return { issuer: this.documentIssuer, jwks_uri: `${url}/keys` };
    const keys = this.keys.map(async ({ kid, pair, alg }) => ({
      ...(await exportJWK(pair.publicKey)),
      alg,
      use: "sig",
      ...(kid === undefined ? {} : { kid }),
    }));
    return { keys: await Promise.all(keys) };
  };
}

const plain: JwtConfiguration = {
  issuer: { url, audiences: ["api"] },
  claimMappings: { username: { claim: "sub", prefix: "" } },
};

function authenticate(
  issuer: Issuer,
  change: Partial<JwtConfiguration> = {},
  options: Partial<JwtAuthenticatorOptions> = {},
) {
  const [compiled] = compileAuthentication({ jwt: [{ ...plain, ...change }] }, []).jwt;
  if (compiled === undefined) throw new Error("nothing was compiled");
  const clock = new VirtualClock(start);
  return { clock, tokens: jwtAuthenticator(compiled, { clock, fetchJson: issuer.fetchJson, ...options }) };
}

function signed(claims: JWTPayload, { kid = "one", pair = first, alg = "ES256" } = {}): Promise<string> {
  const all = { iss: url, aud: "api", sub: "jane", exp: now + 60, ...claims };
  return new SignJWT(all).setProtectedHeader({ alg, kid }).sign(pair.privateKey);
}

function issuerWith(...kids: readonly string[]): Issuer {
  const issuer = new Issuer();
  issuer.keys = kids.map((kid) => ({ kid, pair: first, alg: "ES256" }));
  return issuer;
}

describe("a token", () => {
  test("is its subject's", async () => {
    const { tokens } = authenticate(issuerWith("one"));
    expect(await tokens.authenticateToken(await signed({}), [])).toEqual({ user: { username: "jane", groups: [] } });
  });

  test.each<[string, JWTPayload]>([
    ["of another issuer", { iss: "https://other.example.com" }],
    ["of none", { iss: "" }],
  ])("%s is not known", async (_, claims) => {
    const issuer = issuerWith("one");
    const { tokens } = authenticate(issuer);
    expect(await tokens.authenticateToken(await signed(claims), [])).toBeUndefined();
    expect(issuer.asked).toEqual([]);
  });

  test.each(["", "a.b.c", "abcdef.0123456789abcdef", "a.bm8.c"])("%j is none", async (token) => {
    expect(await authenticate(issuerWith("one")).tokens.authenticateToken(token, [])).toBeUndefined();
  });

  test.each<[string, JWTPayload, string]>([
    ["for others", { aud: ["a", "b"] }, 'oidc: expected audience in ["api"] got ["a" "b"]'],
    ["that is over", { exp: now }, "oidc: token is expired"],
    ["whose time is not yet", { nbf: now + 61 }, "not before"],
  ])("%s is refused", async (_, claims, message) => {
    const { tokens } = authenticate(issuerWith("one"));
    await expect(tokens.authenticateToken(await signed(claims), [])).rejects.toThrow(message);
  });

  test("that nobody signed, or somebody else, is refused", async () => {
    const { tokens } = authenticate(issuerWith("one"));
    const [head = "", body = ""] = (await signed({})).split(".");
    const none = Buffer.from(JSON.stringify({ alg: "none" })).toString("base64url");
    await expect(tokens.authenticateToken(`${none}.${body}.`, [])).rejects.toThrow("unsupported algorithm");
    const other = (await signed({ sub: "eve" }, { pair: await generateKeyPair("ES256") })).split(".")[2];
    await expect(tokens.authenticateToken(`${head}.${body}.${other}`, [])).rejects.toThrow("oidc: verify token");
    const symmetric = await new SignJWT({ iss: url, aud: "api", sub: "eve", exp: now + 60 })
      .setProtectedHeader({ alg: "HS256", kid: "one" })
      .sign(Buffer.from(JSON.stringify(await exportJWK(first.publicKey))));
    await expect(tokens.authenticateToken(symmetric, [])).rejects.toThrow("unsupported algorithm");
  });

  test("needs one of the algorithms that are allowed", async () => {
    const { tokens } = authenticate(issuerWith("one"), {}, { signingAlgorithms: ["RS256"] });
    await expect(tokens.authenticateToken(await signed({}), [])).rejects.toThrow(
      'unsupported algorithm, expected ["RS256"] got "ES256"',
    );
  });

  test("without the name of its key is tried with each", async () => {
    const issuer = new Issuer();
    const wrong = await generateKeyPair("ES256");
    issuer.keys = [wrong, first].map((pair) => ({ pair, alg: "ES256" }));
    const { tokens } = authenticate(issuer);
    const token = await new SignJWT({ iss: url, aud: "api", sub: "jane", exp: now + 60 })
      .setProtectedHeader({ alg: "ES256" })
      .sign(first.privateKey);
    expect((await tokens.authenticateToken(token, []))?.user.username).toBe("jane");
  });
});

describe("the keys of an issuer", () => {
  test("are asked for once, together by all who wait", async () => {
    const issuer = issuerWith("one");
    const { tokens } = authenticate(issuer);
    const token = await signed({});
    await Promise.all([1, 2, 3].map(() => tokens.authenticateToken(token, [])));
    expect(issuer.asked).toEqual([`${url}/.well-known/openid-configuration`, `${url}/keys`]);
  });

  test("are where the configuration says", async () => {
    const issuer = issuerWith("one");
    const discoveryURL = "https://inside.example.com/discovery";
    const { tokens } = authenticate(issuer, { issuer: { ...plain.issuer, discoveryURL } });
    expect(await tokens.authenticateToken(await signed({}), [])).toBeDefined();
    expect(issuer.asked).toEqual([discoveryURL, `${url}/keys`]);
  });

  test("are asked for again when one is new, but not for every token", async () => {
    const issuer = issuerWith("one");
    const { tokens, clock } = authenticate(issuer);
    await tokens.authenticateToken(await signed({}), []);
    issuer.keys.push({ kid: "two", pair: second, alg: "RS256" });
    const token = await signed({}, { kid: "two", pair: second, alg: "RS256" });
    await expect(tokens.authenticateToken(token, [])).rejects.toThrow("no such key");
    expect(issuer.asked).toHaveLength(2);
    await clock.advance(10_000);
    expect(await tokens.authenticateToken(token, [])).toBeDefined();
    expect(issuer.asked).toHaveLength(4);
  });

  test("count no longer once they are taken back", async () => {
    const issuer = issuerWith("one");
    const { tokens, clock } = authenticate(issuer);
    const token = await signed({ exp: now + 3600 });
    await tokens.authenticateToken(token, []);
    issuer.keys = [{ kid: "two", pair: second, alg: "RS256" }];
    await clock.advance(10 * 60_000);
    await expect(tokens.authenticateToken(token, [])).rejects.toThrow("no such key");
  });

  test("go on while the issuer is gone, but nobody logs in before it was there", async () => {
    const issuer = issuerWith("one");
    issuer.answers = false;
    const { tokens, clock } = authenticate(issuer);
    const token = await signed({ exp: now + 36_000 });
    for (let tries = 0; tries < 3; tries++) {
      await expect(tokens.authenticateToken(token, [])).rejects.toThrow("oidc: authenticator not initialized");
    }
    expect(issuer.asked).toHaveLength(1);
    issuer.answers = true;
    await clock.advance(10_000);
    expect(await tokens.authenticateToken(token, [])).toBeDefined();
    issuer.answers = false;
    await clock.advance(3_600_000);
    expect(await tokens.authenticateToken(token, [])).toBeDefined();
  });

  test("of an issuer that says it is another are not used", async () => {
    const issuer = issuerWith("one");
    issuer.documentIssuer = "https://other.example.com";
    const { tokens } = authenticate(issuer);
    await expect(tokens.authenticateToken(await signed({}), [])).rejects.toThrow("not initialized");
  });
});

describe("claims", () => {
  const user = async (claims: JWTPayload, change: Partial<JwtConfiguration>) =>
    (await authenticate(issuerWith("one"), change).tokens.authenticateToken(await signed(claims), []))?.user;

  test("become a user by their names", async () => {
    const claimMappings: JwtConfiguration["claimMappings"] = {
      username: { claim: "name", prefix: "oidc:" },
      groups: { claim: "roles", prefix: "oidc:" },
      uid: { claim: "sub" },
    };
    const found = await user({ name: "jane", roles: ["dev", "ops"] }, { claimMappings });
    expect(found).toEqual({ username: "oidc:jane", groups: ["oidc:dev", "oidc:ops"], uid: "jane" });
    expect((await user({ name: "jane", roles: "dev" }, { claimMappings }))?.groups).toEqual(["oidc:dev"]);
    expect((await user({ name: "jane" }, { claimMappings }))?.groups).toEqual([]);
  });

  test("become a user by expressions", async () => {
    const claimMappings: JwtConfiguration["claimMappings"] = {
      username: { expression: "claims.name + '@' + claims.tenant.id" },
      groups: { expression: "claims.roles.split(',')" },
      uid: { expression: "string(claims.number)" },
      extra: [
        { key: "example.com/tenant", valueExpression: "claims.tenant.id" },
        { key: "example.com/nothing", valueExpression: "claims.?missing.orValue('')" },
        { key: "example.com/null", valueExpression: "claims.nothing" },
        { key: "example.com/list", valueExpression: "['a', '', claims.name]" },
      ],
    };
    const claims = { name: "jane", tenant: { id: "t1" }, roles: "dev,,ops", number: 7, nothing: null };
    expect(await user(claims, { claimMappings })).toEqual({
      username: "jane@t1",
      groups: ["dev", "ops"],
      uid: "7",
      extra: { "example.com/tenant": ["t1"], "example.com/list": ["a", "jane"] },
    });
  });

  const email = { claimMappings: { username: { claim: "email", prefix: "" } } };
  const bySub = plain.claimMappings;

  test.each<[string, JWTPayload, Partial<JwtConfiguration>, string]>([
    ["a name that is missing", {}, email, 'oidc: parse username claims "email": claim not present'],
    ["an address that is not verified", { email: "a@b", email_verified: false }, email, "oidc: email not verified"],
    ["an address of who knows", { email: "a@b", email_verified: "true" }, email, "parse 'email_verified' claim"],
    ["a name that is no text", { email: 7 }, email, "it is no string"],
    [
      "an expression that fails",
      {},
      { claimMappings: { username: { expression: "claims.missing" } } },
      "oidc: error evaluating username claim expression: expression 'claims.missing' resulted in error: no such key: missing",
    ],
    [
      "an expression of no text",
      { n: 1 },
      { claimMappings: { username: { expression: "claims.n" } } },
      "username claim expression must return a string",
    ],
    ["no name at all", {}, { claimMappings: { username: { expression: "''" } } }, "empty username"],
    [
      "groups of numbers",
      { g: [1] },
      { claimMappings: { ...bySub, groups: { claim: "g", prefix: "" } } },
      'oidc: parse groups claim "g"',
    ],
    [
      "groups that are elsewhere",
      { _claim_names: { g: "src" }, _claim_sources: { src: { endpoint: "https://example.com" } } },
      { claimMappings: { ...bySub, groups: { claim: "g", prefix: "" } } },
      "oidc: could not expand distributed claims",
    ],
    [
      "a required claim that is missing",
      {},
      { claimValidationRules: [{ claim: "hd", requiredValue: "example.com" }] },
      "oidc: required claim hd not present in ID token",
    ],
    [
      "another required claim",
      { hd: "x" },
      { claimValidationRules: [{ claim: "hd", requiredValue: "example.com" }] },
      "oidc: required claim hd value does not match. Got = x, want = example.com",
    ],
    [
      "a rule for claims",
      { iat: now - 100 },
      {
        claimValidationRules: [{ expression: "claims.exp - claims.iat <= 100", message: "too long" }],
      },
      "validation expression 'claims.exp - claims.iat <= 100' failed: too long",
    ],
    [
      "a rule for users",
      { sub: "system:admin" },
      { userValidationRules: [{ expression: "!user.username.startsWith('system:')", message: "reserved" }] },
      "failed: reserved",
    ],
  ])("are refused for %s", async (_, claims, change, message) => {
    await expect(user(claims, change)).rejects.toThrow(message);
  });
});
