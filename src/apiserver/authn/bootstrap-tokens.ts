import { timingSafeEqual } from "node:crypto";
import { type Secret, secrets } from "../../api/index.js";
import type { Clock } from "../../internal/clock.js";
import { type Logger, silentLogger } from "../../internal/logger.js";
import type { CacheReader } from "../admission/admission.js";
import type { TokenAuthenticator } from "./authenticator.js";

const secretType = "bootstrap.kubernetes.io/token";
const bootstrapGroup = "system:bootstrappers";
const groupPattern = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

export interface BootstrapTokenOptions {
  readonly cache: CacheReader;
  readonly clock: Clock;
  readonly logger?: Logger | undefined;
}

/**
 * Bootstrap tokens, by which nodes that have no credentials yet ask for some: `<id>.<secret>`, kept in the Secret
 * `kube-system/bootstrap-token-<id>` as upstream's `--enable-bootstrap-token-auth` and kubeadm have them. The user is
 * `system:bootstrap:<id>`. Nothing is thrown: whatever is wrong with a Secret, its token is not known.
 */
export function bootstrapTokenAuthenticator({
  cache,
  clock,
  logger = silentLogger,
}: BootstrapTokenOptions): TokenAuthenticator {
  return {
    name: "bootstrap",
    authenticateToken(token) {
      const [, id = "", key = ""] = /^([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(token) ?? [];
      if (id === "") return undefined;
      const name = `bootstrap-token-${id}`;
      const secret = cache.get(secrets, { namespace: "kube-system", name });
      if (secret === undefined) return undefined;
      const groups = groupsOf(secret);
      const problem =
        problemOf(secret, { id, key, nowMs: clock.now() }) ?? (groups === undefined ? "groups" : undefined);
      if (problem !== undefined || groups === undefined) {
        logger.debug("a bootstrap token was refused", { secret: name, problem });
        return undefined;
      }
      return { user: { username: `system:bootstrap:${id}`, groups } };
    },
  };
}

/** The field that keeps the token from logging in. */
function problemOf(
  secret: Secret,
  { id, key, nowMs }: { readonly id: string; readonly key: string; readonly nowMs: number },
): string | undefined {
  if (secret.metadata.deletionTimestamp !== undefined) return "deletionTimestamp";
  if (secret.type !== secretType || secret.data === undefined) return "type";
  if (!sameText(fieldOf(secret, "token-secret"), key)) return "token-secret";
  if (fieldOf(secret, "token-id") !== id) return "token-id";
  if (isOver(fieldOf(secret, "expiration"), nowMs)) return "expiration";
  return fieldOf(secret, "usage-bootstrap-authentication") === "true" ? undefined : "usage-bootstrap-authentication";
}

/** Takes as long whatever is wrong. */
function sameText(kept: string, given: string): boolean {
  const [a, b] = [Buffer.from(kept), Buffer.from(given)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** A time that cannot be read is over. */
function isOver(expiration: string, nowMs: number): boolean {
  if (expiration === "") return false;
  const at = /^\d{4}-\d\d-\d\d[Tt]/.test(expiration) ? Date.parse(expiration) : Number.NaN;
  return Number.isNaN(at) || at <= nowMs;
}

/** undefined where one of them is none that bootstrap tokens may have. */
function groupsOf(secret: Secret): readonly string[] | undefined {
  const text = fieldOf(secret, "auth-extra-groups");
  if (text === "") return [bootstrapGroup];
  const extra = text.split(",").map((group) => group.trim());
  return extra.every((group) => groupPattern.test(group)) ? [...new Set([bootstrapGroup, ...extra])].sort() : undefined;
}

function fieldOf({ data }: Secret, name: string): string {
  return Buffer.from(data?.[name] ?? "", "base64").toString("utf8");
}
