import {
  clusterRoleBindings,
  clusterRoles,
  type PolicyRule,
  type RoleBinding,
  roleBindings,
  roles,
  type UserInfo,
} from "../../api/index.js";
import type { CacheReader } from "../admission/admission.js";
import { splitServiceAccountUsername } from "../authn/service-account-names.js";
import type { AuthorizationAttributes, AuthorizationDecision, Authorizer, ResolvedRules } from "./authorizer.js";
import { ruleAllows } from "./rule-match.js";

/** The rules of one binding for one subject. `because` is what a decision by it says. */
export interface Grant {
  readonly rules: readonly PolicyRule[];
  readonly because: string;
}

/** Decides by Roles and their bindings; never denies. */
export interface RbacAuthorizer extends Authorizer {
  readonly rulesFor: NonNullable<Authorizer["rulesFor"]>;
}

type Binding = Pick<RoleBinding, "subjects" | "roleRef" | "metadata">;

/** The bindings of one scope by subject. */
type Scope = Map<string, Binding[]>;

interface Scopes {
  readonly cluster: Scope;
  readonly namespaces: Map<string, Scope>;
}

interface Grants {
  readonly grants: readonly Grant[];
  readonly errors: readonly string[];
}

/** What was worked out for a user: lasts until any role or binding changes. */
interface UserGrants {
  cluster: Grants | undefined;
  readonly namespaces: Map<string, Grants>;
}

const maxNamespacesKept = 1024;

export function rbacAuthorizer(cache: CacheReader): RbacAuthorizer {
  return new Rbac(cache);
}

class Rbac implements RbacAuthorizer {
  readonly name = "RBAC";
  readonly #cache: CacheReader;
  #generation = Number.NaN;
  #bindingGeneration = Number.NaN;
  #scopes: Scopes = { cluster: new Map(), namespaces: new Map() };
  #users = new WeakMap<UserInfo, UserGrants>();

  constructor(cache: CacheReader) {
    this.#cache = cache;
  }

  authorize(asked: AuthorizationAttributes): AuthorizationDecision {
    this.#refresh();
    const user = this.#userGrants(asked.user);
    const cluster = this.#clusterGrants(asked.user, user);
    const found = firstAllowing(cluster.grants, asked);
    if (found !== undefined) return allow(found);
    if (!asked.namespace) return refuse(cluster.errors);
    const local = this.#namespaceGrants(asked.user, user, asked.namespace);
    const foundLocal = firstAllowing(local.grants, asked);
    return foundLocal === undefined ? refuse([...cluster.errors, ...local.errors]) : allow(foundLocal);
  }

  readonly rulesFor = (user: UserInfo, namespace: string): ResolvedRules => {
    this.#refresh();
    const known = this.#userGrants(user);
    const cluster = this.#clusterGrants(user, known);
    const local = namespace === "" ? undefined : this.#namespaceGrants(user, known, namespace);
    return {
      rules: [...cluster.grants, ...(local?.grants ?? [])].flatMap((grant) => grant.rules),
      errors: [...cluster.errors, ...(local?.errors ?? [])],
    };
  };

  /** Bindings are sorted by subject again only when a binding changed; a role's change only drops what was resolved. */
  #refresh(): void {
    const bindings = this.#cache.generation(clusterRoleBindings) + this.#cache.generation(roleBindings);
    const generation = bindings + this.#cache.generation(clusterRoles) + this.#cache.generation(roles);
    if (generation === this.#generation) return;
    this.#generation = generation;
    this.#users = new WeakMap();
    if (bindings === this.#bindingGeneration) return;
    this.#bindingGeneration = bindings;
    const scopes: Scopes = { cluster: new Map(), namespaces: new Map() };
    for (const binding of this.#cache.list(clusterRoleBindings)) index(scopes.cluster, binding, "");
    for (const binding of this.#cache.list(roleBindings)) {
      const namespace = binding.metadata.namespace ?? "";
      let scope = scopes.namespaces.get(namespace);
      if (scope === undefined) {
        scope = new Map();
        scopes.namespaces.set(namespace, scope);
      }
      index(scope, binding, namespace);
    }
    this.#scopes = scopes;
  }

  #userGrants(user: UserInfo): UserGrants {
    let known = this.#users.get(user);
    if (known === undefined) {
      known = { cluster: undefined, namespaces: new Map() };
      this.#users.set(user, known);
    }
    return known;
  }

  #clusterGrants(user: UserInfo, known: UserGrants): Grants {
    known.cluster ??= this.#resolve(user, this.#scopes.cluster, "");
    return known.cluster;
  }

  #namespaceGrants(user: UserInfo, known: UserGrants, namespace: string): Grants {
    let grants = known.namespaces.get(namespace);
    if (grants === undefined) {
      const scope = this.#scopes.namespaces.get(namespace);
      if (scope === undefined) return { grants: [], errors: [] };
      grants = this.#resolve(user, scope, namespace);
      if (known.namespaces.size >= maxNamespacesKept) known.namespaces.clear();
      known.namespaces.set(namespace, grants);
    }
    return grants;
  }

  #resolve(user: UserInfo, scope: Scope, namespace: string): Grants {
    const grants: Grant[] = [];
    const errors: string[] = [];
    const seen = new Set<Binding>();
    const take = (subject: string, words: string): void => {
      for (const binding of scope.get(subject) ?? []) {
        if (seen.has(binding)) continue;
        seen.add(binding);
        const rules = this.#rulesOf(binding.roleRef, namespace);
        if (rules === undefined) errors.push(missing(binding.roleRef));
        else grants.push({ rules, because: becauseOf(binding, namespace, words) });
      }
    };
    const account = splitServiceAccountUsername(user.username);
    take(`User:${user.username}`, `User ${JSON.stringify(user.username)}`);
    if (account !== undefined) {
      const key = `${account.name}/${account.namespace}`;
      take(`ServiceAccount:${user.username}`, `ServiceAccount ${JSON.stringify(key)}`);
    }
    for (const group of user.groups) take(`Group:${group}`, `Group ${JSON.stringify(group)}`);
    return { grants, errors };
  }

  #rulesOf(reference: RoleBinding["roleRef"], namespace: string): readonly PolicyRule[] | undefined {
    const role =
      reference.kind === "ClusterRole"
        ? this.#cache.get(clusterRoles, { name: reference.name })
        : this.#cache.get(roles, { namespace, name: reference.name });
    return role === undefined ? undefined : (role.rules ?? []);
  }
}

function index(scope: Scope, binding: Binding, namespace: string): void {
  for (const subject of binding.subjects ?? []) {
    const key =
      subject.kind === "ServiceAccount"
        ? `ServiceAccount:system:serviceaccount:${subject.namespace || namespace}:${subject.name}`
        : `${subject.kind}:${subject.name}`;
    const bindings = scope.get(key);
    if (bindings === undefined) scope.set(key, [binding]);
    else bindings.push(binding);
  }
}

function firstAllowing(grants: readonly Grant[], asked: AuthorizationAttributes): Grant | undefined {
  for (const grant of grants) {
    for (const rule of grant.rules) if (ruleAllows(rule, asked)) return grant;
  }
  return undefined;
}

function allow(grant: Grant): AuthorizationDecision {
  return { decision: "allow", reason: grant.because };
}

function refuse(errors: readonly string[]): AuthorizationDecision {
  if (errors.length === 0) return { decision: "noOpinion" };
  const text = errors.length === 1 ? errors[0] : `[${errors.join(", ")}]`;
  return { decision: "noOpinion", reason: `RBAC: ${text}` };
}

function becauseOf(binding: Binding, namespace: string, subject: string): string {
  const { kind, name } = binding.roleRef;
  const role = `${kind} ${JSON.stringify(name)}`;
  return namespace === ""
    ? `RBAC: allowed by ClusterRoleBinding ${JSON.stringify(binding.metadata.name)} of ${role} to ${subject}`
    : `RBAC: allowed by RoleBinding ${JSON.stringify(`${binding.metadata.name}/${namespace}`)} of ${role} to ${subject}`;
}

function missing(reference: RoleBinding["roleRef"]): string {
  const resource = reference.kind === "ClusterRole" ? "clusterrole" : "role";
  return `${resource}.rbac.authorization.k8s.io ${JSON.stringify(reference.name)} not found`;
}
