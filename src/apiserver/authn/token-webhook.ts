import { createHash } from "node:crypto";
import type { UserInfo } from "../../api/index.js";
import type { Clock } from "../../internal/clock.js";
import { ExpiringMap } from "../../internal/expiring-map.js";
import type { PostReview } from "../outbound/webhook.js";
import type { AuthenticatedUser, TokenAuthenticator } from "./authenticator.js";

export interface TokenWebhookOptions {
  readonly post: PostReview;
  /** Of the TokenReview that is sent and expected. */
  readonly version: "v1" | "v1beta1";
  /** How long an answer counts, of whom the webhook knows and of whom it does not; errors are not kept. 0: not at all. */
  readonly cacheMs: number;
  /** Of the API server: those that a webhook stands for that says nothing of audiences. */
  readonly audiences: readonly string[];
  readonly clock: Clock;
}

const cacheLimit = 8192;

/** Tokens that a webhook knows: it is sent a TokenReview, as upstream's `--authentication-token-webhook-config-file` has it. */
export function webhookTokenAuthenticator(options: TokenWebhookOptions): TokenAuthenticator {
  const { clock, cacheMs } = options;
  const cache = new ExpiringMap<{ readonly found: AuthenticatedUser | undefined }>(clock, cacheLimit);
  const underWay = new Map<string, Promise<AuthenticatedUser | undefined>>();
  return {
    name: "webhook",
    authenticateToken(token, wanted) {
      const key = createHash("sha256")
        .update(JSON.stringify([token, wanted]))
        .digest("base64");
      const kept = cache.get(key);
      if (kept !== undefined) return kept.found;
      let asked = underWay.get(key);
      if (asked === undefined) {
        asked = ask(token, wanted, options)
          .then((found) => {
            cache.put(key, { found }, cacheMs);
            return found;
          })
          .finally(() => underWay.delete(key));
        underWay.set(key, asked);
      }
      return asked;
    },
  };
}

interface ReviewStatus {
  readonly authenticated?: boolean;
  readonly user?: {
    readonly username?: string;
    readonly uid?: string;
    readonly groups?: readonly string[] | null;
    readonly extra?: { readonly [key: string]: readonly string[] } | null;
  };
  readonly audiences?: readonly string[] | null;
  readonly error?: string;
}

async function ask(
  token: string,
  wanted: readonly string[],
  { post, version, audiences: ours }: TokenWebhookOptions,
): Promise<AuthenticatedUser | undefined> {
  const status = statusOf(
    await post({
      apiVersion: `authentication.k8s.io/${version}`,
      kind: "TokenReview",
      metadata: { creationTimestamp: null },
      spec: { token, ...(wanted.length === 0 ? {} : { audiences: wanted }) },
      status: { user: {} },
    }),
  );
  if (status.authenticated !== true) {
    if (status.error) throw new Error(status.error);
    return undefined;
  }
  const meant = status.audiences?.length ? status.audiences : ours;
  const audiences = wanted.filter((audience) => meant.includes(audience));
  if (wanted.length > 0 && audiences.length === 0) return undefined;
  const { username = "", uid, groups, extra } = status.user ?? {};
  const user: UserInfo = {
    username,
    groups: groups ?? [],
    ...(uid ? { uid } : {}),
    ...(extra ? { extra } : {}),
  };
  return { user, audiences };
}

/** Parses what came from outside. */
function statusOf(review: unknown): ReviewStatus {
  const { status } = Object(review) as { readonly status?: unknown };
  if (!isObject(status)) throw new Error("the webhook's answer is no TokenReview");
  const { user, audiences } = status;
  const fields = isObject(user) ? user : {};
  const extra = isObject(fields["extra"]) ? Object.values(fields["extra"]) : [];
  const lists = [fields["groups"], audiences, ...extra];
  const texts = [fields["username"], fields["uid"], status["error"]];
  const fits =
    lists.every((list) => list == null || (Array.isArray(list) && list.every((item) => typeof item === "string"))) &&
    texts.every((text) => text === undefined || typeof text === "string");
  if (!fits) throw new Error("the webhook's answer is no TokenReview");
  return status;
}

function isObject(value: unknown): value is { readonly [field: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
