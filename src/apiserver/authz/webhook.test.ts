import { describe, expect, test } from "vitest";
import type { UserInfo } from "../../api/index.js";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { AuthMetrics } from "../auth-metrics.js";
import { WebhookError } from "../outbound/webhook.js";
import { alwaysAllow, alwaysDeny } from "./always.js";
import { authorizeOrThrow, unionAuthorizer } from "./attributes.js";
import type { AuthorizationAttributes } from "./authorizer.js";
import { AuthorizationExpressions } from "./match-conditions.js";
import { type WebhookAuthorizerOptions, webhookAuthorizer } from "./webhook.js";

const jane: UserInfo = { username: "jane", uid: "1", groups: ["dev"], extra: { k: ["v"] } };
const getPod: AuthorizationAttributes = {
  user: jane,
  verb: "get",
  group: "",
  version: "v1",
  resource: "pods",
  subresource: "",
  namespace: "default",
  name: "web",
};

function webhook(
  answer: () => unknown,
  options: Partial<WebhookAuthorizerOptions> = {},
  conditions: readonly string[] = [],
) {
  const clock = new VirtualClock(0);
  const sent: unknown[] = [];
  const metrics = new AuthMetrics();
  const expressions = new AuthorizationExpressions();
  const compiled = conditions.map((source) => expressions.compile(source));
  const authorizer = webhookAuthorizer({
    name: "hook",
    post: async (review) => {
      sent.push(review);
      return answer();
    },
    version: "v1",
    authorizedMs: 300_000,
    unauthorizedMs: 30_000,
    failurePolicy: "NoOpinion",
    conditions: { expressions, compiled },
    metrics,
    clock,
    ...options,
  });
  return { authorizer, clock, sent, metrics };
}

const allowed = { status: { allowed: true, reason: "yes" } };

describe("an authorization webhook", () => {
  test("is sent a SubjectAccessReview", async () => {
    const { authorizer, sent } = webhook(() => allowed);
    expect(await authorizer.authorize(getPod)).toEqual({ decision: "allow", reason: "yes" });
    const resourceAttributes = { verb: "get", version: "v1", resource: "pods", namespace: "default", name: "web" };
    const spec = { user: "jane", uid: "1", groups: ["dev"], extra: { k: ["v"] }, resourceAttributes };
    expect(sent).toMatchObject([{ apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview", spec }]);
    expect(Object.keys((sent[0] as { spec: { resourceAttributes: object } }).spec.resourceAttributes)).not.toContain(
      "group",
    );
  });

  test("of v1beta1 is told groups by another name, and paths", async () => {
    const { authorizer, sent } = webhook(() => allowed, { version: "v1beta1" });
    await authorizer.authorize({ user: jane, verb: "get", path: "/healthz" });
    const nonResourceAttributes = { path: "/healthz", verb: "get" };
    const spec = { user: "jane", uid: "1", group: ["dev"], extra: { k: ["v"] }, nonResourceAttributes };
    expect(sent).toMatchObject([{ apiVersion: "authorization.k8s.io/v1beta1", spec }]);
  });

  test("is told what is selected, but not what makes no sense", async () => {
    const { authorizer, sent } = webhook(() => allowed);
    const list = { ...getPod, verb: "list", name: "" };
    await authorizer.authorize({ ...list, fieldSelector: "a=b,c!=d", labelSelector: "x in (1,2),!y,z=1" });
    await authorizer.authorize({ ...list, fieldSelector: "a b", labelSelector: "(" });
    const [first, second] = sent.map(
      (review) => (review as { spec: { resourceAttributes: object } }).spec.resourceAttributes,
    );
    expect(first).toMatchObject({
      fieldSelector: {
        requirements: [
          { key: "a", operator: "In", values: ["b"] },
          { key: "c", operator: "NotIn", values: ["d"] },
        ],
      },
      labelSelector: {
        requirements: [
          { key: "x", operator: "In", values: ["1", "2"] },
          { key: "y", operator: "DoesNotExist" },
          { key: "z", operator: "In", values: ["1"] },
        ],
      },
    });
    expect(second).not.toHaveProperty("fieldSelector");
    expect(second).not.toHaveProperty("labelSelector");
  });

  test.each([
    ["says no more", { status: {} }, { decision: "noOpinion", reason: "" }],
    ["denies", { status: { denied: true, reason: "no" } }, { decision: "deny", reason: "no" }],
    ["says both", { status: { allowed: true, denied: true } }, { decision: "deny", error: expect.any(Error) }],
    [
      "answers with something else",
      { status: { allowed: "yes" } },
      { decision: "noOpinion", error: expect.any(Error) },
    ],
    ["answers with nothing", undefined, { decision: "noOpinion", error: expect.any(Error) }],
  ])("that %s", async (_, answer, decision) => {
    expect(await webhook(() => answer).authorizer.authorize(getPod)).toMatchObject(decision);
  });

  test("is asked once for a while, shorter about what it does not allow", async () => {
    let status: object = { allowed: true };
    const { authorizer, clock, sent } = webhook(() => ({ status }));
    await authorizer.authorize(getPod);
    await clock.advance(299_999);
    await authorizer.authorize(getPod);
    expect(sent).toHaveLength(1);
    status = { allowed: false };
    await clock.advance(1);
    expect(await authorizer.authorize(getPod)).toMatchObject({ decision: "noOpinion" });
    await clock.advance(29_999);
    await authorizer.authorize(getPod);
    expect(sent).toHaveLength(2);
    await clock.advance(1);
    await authorizer.authorize(getPod);
    expect(sent).toHaveLength(3);
  });

  test("is asked each time about what would fill the memory", async () => {
    const { authorizer, sent } = webhook(() => allowed);
    const long = { ...getPod, name: "x".repeat(10_000) };
    await authorizer.authorize(long);
    await authorizer.authorize(long);
    expect(sent).toHaveLength(2);
  });

  test.each([
    ["NoOpinion", "noOpinion"],
    ["Deny", "deny"],
  ] as const)("that cannot be asked leaves it to its policy %s", async (failurePolicy, decision) => {
    const fail = (): never => {
      throw new WebhookError("gone", { timedOut: true });
    };
    const { authorizer, metrics } = webhook(fail, { failurePolicy });
    expect(await authorizer.authorize(getPod)).toMatchObject({ decision, error: { message: "gone" } });
    const open = 'apiserver_authorization_webhook_evaluations_fail_open_total{name="hook",result="timeout"} 1';
    expect(metrics.text().includes(open)).toBe(failurePolicy === "NoOpinion");
    expect(metrics.text()).toContain(
      'apiserver_authorization_webhook_evaluations_total{name="hook",result="timeout"} 1',
    );
  });
});

describe("match conditions", () => {
  test.each<[conditions: readonly string[], asks: boolean, errors: boolean]>([
    [[], true, false],
    [["request.user == 'jane'", "request.resourceAttributes.verb == 'get'"], true, false],
    [["request.user == 'joe'"], false, false],
    [["has(request.resourceAttributes) && request.resourceAttributes.subresource == ''"], true, false],
    [["has(request.nonResourceAttributes)"], false, false],
    [["'dev' in request.groups", "request.extra['k'] == ['v']", "request.uid == '1'"], true, false],
    [["!has(request.resourceAttributes.fieldSelector)"], true, false],
    [["request.nonResourceAttributes.path == '/x'"], false, true],
    // One that does not hold decides, whatever the others.
    [["request.nonResourceAttributes.path == '/x'", "request.user == 'joe'"], false, false],
  ])("%j: asked %s, in error %s", async (conditions, asks, errors) => {
    const { authorizer, sent, metrics } = webhook(() => allowed, {}, conditions);
    const { decision, error } = await authorizer.authorize(getPod);
    expect([sent.length === 1, error !== undefined]).toEqual([asks, errors]);
    expect(decision).toBe(asks ? "allow" : "noOpinion");
    const text = metrics.text();
    expect(text.includes("match_condition_exclusions_total{")).toBe(!asks && !errors);
    expect(text.includes("match_condition_evaluation_errors_total{")).toBe(errors);
  });

  test("see selectors", async () => {
    const conditions = [
      "request.resourceAttributes.labelSelector.requirements.exists(r, r.key == 'a' && r.values == ['b'])",
    ];
    const { authorizer, sent } = webhook(() => allowed, {}, conditions);
    await authorizer.authorize({ ...getPod, verb: "list", name: "", labelSelector: "a=b" });
    await authorizer.authorize({ ...getPod, verb: "list", name: "", labelSelector: "a=c" });
    expect(sent).toHaveLength(1);
  });

  test("that fail deny where the policy says so", async () => {
    const { authorizer } = webhook(() => allowed, { failurePolicy: "Deny" }, [
      "request.nonResourceAttributes.path == ''",
    ]);
    expect(await authorizer.authorize(getPod)).toMatchObject({ decision: "deny", error: expect.any(Error) });
  });
});

describe("several authorizers", () => {
  const failing = webhook(() => undefined).authorizer;

  test("allow although one of them cannot be asked", async () => {
    await authorizeOrThrow(unionAuthorizer([failing, alwaysAllow]), getPod);
  });

  test("fail where none of them allows and one cannot be asked", async () => {
    await expect(authorizeOrThrow(unionAuthorizer([failing, alwaysDeny]), getPod)).rejects.toMatchObject({
      status: { code: 500 },
    });
    await expect(authorizeOrThrow(alwaysDeny, getPod)).rejects.toMatchObject({
      status: { code: 403, message: expect.stringContaining("Everything is forbidden.") },
    });
  });

  test("say what they know of rules", () => {
    const { rules, errors } = unionAuthorizer([alwaysAllow, failing]).rulesFor?.(jane, "default") ?? {
      rules: [],
      errors: [],
    };
    expect(rules).toHaveLength(2);
    expect(errors).toEqual(["webhook authorizer does not support user rule resolution"]);
  });
});
