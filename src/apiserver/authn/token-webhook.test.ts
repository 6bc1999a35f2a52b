import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { type TokenWebhookOptions, webhookTokenAuthenticator } from "./token-webhook.js";

function webhook(answer: () => unknown, options: Partial<TokenWebhookOptions> = {}) {
  const clock = new VirtualClock(0);
  const sent: unknown[] = [];
  const post = async (review: object): Promise<unknown> => {
    sent.push(review);
    return answer();
  };
  const audiences = ["api"];
  const tokens = webhookTokenAuthenticator({ post, version: "v1", cacheMs: 120_000, audiences, clock, ...options });
  return { clock, sent, tokens };
}

const jane = { authenticated: true, user: { username: "jane", uid: "1", groups: ["dev"], extra: { k: ["v"] } } };

describe("a token webhook", () => {
  test.each(["v1", "v1beta1"] as const)("is sent a TokenReview of %s", async (version) => {
    const { sent, tokens } = webhook(() => ({ status: jane }), { version });
    expect(await tokens.authenticateToken("t", ["api", "vault"])).toEqual({
      user: { username: "jane", uid: "1", groups: ["dev"], extra: { k: ["v"] } },
      audiences: ["api"],
    });
    expect(sent).toMatchObject([
      {
        apiVersion: `authentication.k8s.io/${version}`,
        kind: "TokenReview",
        spec: { token: "t", audiences: ["api", "vault"] },
      },
    ]);
  });

  test.each<[string, object, readonly string[], readonly string[] | undefined]>([
    ["says nothing of audiences", {}, ["vault"], undefined],
    ["means some of those", { audiences: ["vault", "x"] }, ["api", "vault"], ["vault"]],
    ["means others", { audiences: ["x"] }, ["api"], undefined],
    ["is asked of none", { audiences: ["x"] }, [], []],
  ])("that %s", async (_, more, wanted, audiences) => {
    const { tokens } = webhook(() => ({ status: { ...jane, ...more } }));
    expect((await tokens.authenticateToken("t", wanted))?.audiences).toEqual(audiences);
  });

  test("answers once for a while, and once for all who wait", async () => {
    const { sent, tokens, clock } = webhook(() => ({ status: jane }));
    await Promise.all([tokens.authenticateToken("t", []), tokens.authenticateToken("t", [])]);
    await tokens.authenticateToken("t", []);
    expect(sent).toHaveLength(1);
    await tokens.authenticateToken("t", ["api"]);
    await tokens.authenticateToken("u", []);
    expect(sent).toHaveLength(3);
    await clock.advance(120_000);
    await tokens.authenticateToken("t", []);
    expect(sent).toHaveLength(4);
  });

  test("that does not know a token is not asked again soon, but one that fails is", async () => {
    const unknown = webhook(() => ({ status: { authenticated: false } }));
    expect(await unknown.tokens.authenticateToken("t", [])).toBeUndefined();
    expect(await unknown.tokens.authenticateToken("t", [])).toBeUndefined();
    expect(unknown.sent).toHaveLength(1);
    const failing = webhook(() => ({ status: { error: "no database" } }));
    for (let tries = 0; tries < 2; tries++) {
      await expect(failing.tokens.authenticateToken("t", [])).rejects.toThrow("no database");
    }
    expect(failing.sent).toHaveLength(2);
  });

  test.each([
    ["nothing", undefined],
    ["another object", { kind: "Status" }],
    ["groups that are no list", { status: { authenticated: true, user: { username: "a", groups: "system:masters" } } }],
    ["a name that is no text", { status: { authenticated: true, user: { username: {} } } }],
    ["extra that is no lists", { status: { authenticated: true, user: { username: "a", extra: { k: "v" } } } }],
  ])("that answers with %s is not believed", async (_, answer) => {
    await expect(webhook(() => answer).tokens.authenticateToken("t", [])).rejects.toThrow("no TokenReview");
  });
});
