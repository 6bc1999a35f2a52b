import { type Clock, realClock } from "../../internal/clock.js";
import { type Logger, silentLogger } from "../../internal/logger.js";
import { type Random, systemRandom } from "../../internal/random.js";
import type { CacheReader } from "../admission/admission.js";
import { AuthMetrics, countedAuthorizer } from "../auth-metrics.js";
import { mastersGroup } from "../authn/authenticator.js";
import { unionAuthorizer } from "./attributes.js";
import type { Authorizer } from "./authorizer.js";
import { nodeAuthorizer } from "./node.js";
import { type RbacAuthorizer, rbacAuthorizer } from "./rbac.js";

/** `system:masters` may do everything, whatever the roles say: how a broken cluster is mended. */
export const mastersAuthorizer: Authorizer = {
  name: "SystemMasters",
  authorize: ({ user }) => (user.groups.includes(mastersGroup) ? { decision: "allow" } : { decision: "noOpinion" }),
  rulesFor: () => ({ rules: [], errors: [] }),
};

/** What authorizers of a server are made with. */
export interface AuthorizationContext {
  /** Node agents do what they need for the pods bound to them, and nothing beyond. */
  readonly node: Authorizer;
  /** Roles and their bindings. */
  readonly rbac: Authorizer;
  /** The server's objects. */
  readonly cache: CacheReader;
  readonly metrics: AuthMetrics;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface DefaultAuthorizer extends Authorizer {
  readonly rulesFor: NonNullable<Authorizer["rulesFor"]>;
  /** For escalation checks, whether it decides requests or not. */
  readonly rbac: RbacAuthorizer;
}

export interface DefaultAuthorizerOptions {
  /** Who decides, behind system:masters. Default, as in upstream's usual set: nodes, then RBAC. */
  readonly authorizers?: ((context: AuthorizationContext) => Authorizer) | undefined;
  readonly metrics?: AuthMetrics | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  readonly logger?: Logger | undefined;
}

/** The authorizer of a server. `system:masters` comes first, whoever else decides. */
export function defaultAuthorizer(cache: CacheReader, options: DefaultAuthorizerOptions = {}): DefaultAuthorizer {
  const { authorizers = nodesThenRoles, metrics = new AuthMetrics() } = options;
  const { clock = realClock, random = systemRandom, logger = silentLogger } = options;
  const rbac = rbacAuthorizer(cache);
  const made = authorizers({ node: nodeAuthorizer(cache), rbac, cache, metrics, clock, random, logger });
  const { name, authorize, rulesFor = () => ({ rules: [], errors: [] }) } = unionAuthorizer([mastersAuthorizer, made]);
  return { name, authorize, rulesFor, rbac };
}

function nodesThenRoles({ node, rbac, metrics }: AuthorizationContext): Authorizer {
  return unionAuthorizer([
    countedAuthorizer({ type: "Node", name: "node" }, node, metrics),
    countedAuthorizer({ type: "RBAC", name: "rbac" }, rbac, metrics),
  ]);
}
