import type { KubeObject, ResourceType } from "../api/index.js";
import type { CacheReader } from "../apiserver/admission/admission.js";
import { unionAuthorizer } from "../apiserver/authz/attributes.js";
import type { AuthorizationAttributes, Authorizer } from "../apiserver/authz/authorizer.js";
import { bootstrapObjects } from "../apiserver/authz/bootstrap/objects.js";
import { nodeAuthorizer } from "../apiserver/authz/node.js";
import { rbacAuthorizer } from "../apiserver/authz/rbac.js";

/**
 * What upstream's bootstrap roles allow, without these roles being stored anywhere: a test that gives it to its API server proves
 * that a part needs nothing more. Remembers what it refused.
 */
export class UpstreamRights {
  /** In words, each once: `system:kube-scheduler cannot get configmaps`. */
  readonly refused: Set<string> = new Set();

  /** For `ApiServer`: nodes are judged by the pods in `cache`. */
  readonly authorizer = (cache: CacheReader): Authorizer => {
    const union = unionAuthorizer([nodeAuthorizer(cache), rbacAuthorizer(new Bootstrapped())]);
    return {
      name: "upstream",
      authorize: async (asked) => {
        const decision = await union.authorize(asked);
        if (decision.decision !== "allow") this.refused.add(inWords(asked));
        return decision;
      },
    };
  };

  /** Throws when anybody was refused anything. */
  check(): void {
    if (this.refused.size > 0) throw new Error(`beyond upstream's rights: ${[...this.refused].join("; ")}`);
  }
}

function inWords({ user, verb, group, resource, subresource, namespace, name, path }: AuthorizationAttributes): string {
  if (path !== undefined) return `${user.username} cannot ${verb} ${path}`;
  const kind = `${resource}${subresource ? `/${subresource}` : ""}${group ? `.${group}` : ""}`;
  return `${user.username} cannot ${verb} ${kind} ${namespace ?? ""}/${name ?? ""}`;
}

/** The bootstrap roles and bindings as something to read from. */
class Bootstrapped implements CacheReader {
  readonly #objects = new Map<string, readonly KubeObject[]>();

  constructor() {
    const objects = bootstrapObjects();
    for (const [kind, all] of [
      ["ClusterRole", objects.clusterRoles],
      ["ClusterRoleBinding", objects.clusterRoleBindings],
      ["Role", objects.roles],
      ["RoleBinding", objects.roleBindings],
    ] as const) {
      // Without uid and version: nobody here looks at those.
      this.#objects.set(kind, all as unknown as readonly KubeObject[]);
    }
  }

  get<T extends KubeObject>(resource: ResourceType<T>, key: { namespace?: string; name: string }): T | undefined {
    return this.list(resource, key.namespace).find(({ metadata }) => metadata.name === key.name);
  }

  list<T extends KubeObject>({ kind }: ResourceType<T>, namespace?: string): readonly T[] {
    const all = (this.#objects.get(kind) ?? []) as readonly T[];
    return namespace === undefined ? all : all.filter(({ metadata }) => metadata.namespace === namespace);
  }

  generation(): number {
    return 1;
  }
}
