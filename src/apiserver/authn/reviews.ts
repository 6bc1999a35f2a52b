import type { KubeObject, UserInfo } from "../../api/index.js";
import { statusErrors } from "../../api/index.js";
import { formatTime } from "../../api/time.js";
import type { Clock } from "../../internal/clock.js";
import type { ServerRequest } from "../request.js";
import { type TokenAuthenticator, withAuthenticatedGroup } from "./authenticator.js";
import { authenticateToken } from "./bearer.js";

/** Answers a TokenReview: whose token is it? */
export function tokenReviewEvaluator(options: {
  readonly tokens: readonly TokenAuthenticator[];
  readonly audiences: readonly string[];
}): (request: ServerRequest) => Promise<KubeObject> {
  return async (request) => {
    const body = request.body as { spec?: { token?: string; audiences?: readonly string[] }; metadata?: object };
    const token = body.spec?.token ?? "";
    if (token === "") throw statusErrors.badRequest("token is required for TokenReview in authentication");
    const wanted = body.spec?.audiences?.length ? body.spec.audiences : options.audiences;
    return {
      kind: "TokenReview",
      apiVersion: "authentication.k8s.io/v1",
      metadata: { ...body.metadata },
      spec: body.spec,
      status: await review(options.tokens, token, wanted),
    } as unknown as KubeObject;
  };
}

async function review(
  tokens: readonly TokenAuthenticator[],
  token: string,
  wanted: readonly string[],
): Promise<object> {
  try {
    const { user, audiences } = await authenticateToken(tokens, token, wanted);
    return {
      authenticated: true,
      user: wireUser(withAuthenticatedGroup(user)),
      ...(audiences === undefined || audiences.length === 0 ? {} : { audiences }),
    };
  } catch (error) {
    return { user: {}, error: textOf(error) };
  }
}

/** Answers a SelfSubjectReview: who am I? */
export function selfSubjectReviewEvaluator(clock: Clock): (request: ServerRequest) => KubeObject {
  return (request) =>
    ({
      kind: "SelfSubjectReview",
      apiVersion: "authentication.k8s.io/v1",
      metadata: { creationTimestamp: formatTime(clock.now()) },
      status: { userInfo: wireUser(request.user) },
    }) as unknown as KubeObject;
}

function wireUser(user: UserInfo): object {
  return {
    username: user.username,
    ...(user.uid === undefined ? {} : { uid: user.uid }),
    ...(user.groups.length === 0 ? {} : { groups: user.groups }),
    ...(user.extra === undefined || Object.keys(user.extra).length === 0 ? {} : { extra: user.extra }),
  };
}

function textOf(error: unknown): string {
  if (error instanceof AggregateError) {
    const inner = error.errors.map(textOf);
    return inner.length === 0 ? error.message : `[${[error.message, ...inner].join(", ")}]`;
  }
  return error instanceof Error ? error.message : String(error);
}
