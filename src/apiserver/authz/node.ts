import { parseFieldSelector } from "../../api/field-selector.js";
import { pods, resourceSlices, type UserInfo, volumeAttachments } from "../../api/index.js";
import type { CacheReader } from "../admission/admission.js";
import type { AuthorizationAttributes, AuthorizationDecision, Authorizer } from "./authorizer.js";
import { componentRoles } from "./bootstrap/component-roles.js";
import { parseRule } from "./bootstrap/rule-text.js";
import {
  podsOnNode,
  podUsesClaim,
  podUsesConfigMap,
  podUsesResourceClaim,
  podUsesSecret,
  podUsesVolume,
} from "./node-references.js";
import { ruleAllows } from "./rule-match.js";

const prefix = "system:node:";
const leaseNamespace = "kube-node-lease";
const reading: ReadonlySet<string> = new Set(["get", "list", "watch"]);
const selecting: ReadonlySet<string> = new Set(["list", "watch", "deletecollection"]);
const owning: ReadonlySet<string> = new Set(["get", "create", "update", "patch", "delete"]);

/** The node that a user is; undefined for everybody else. */
export function nodeNameOf(user: UserInfo): string | undefined {
  if (!user.username.startsWith(prefix) || !user.groups.includes("system:nodes")) return undefined;
  return user.username.slice(prefix.length);
}

type Rule = (asked: AuthorizationAttributes, node: string) => AuthorizationDecision;

/**
 * Lets node agents do what they need for the pods bound to them and nothing beyond: objects only where a pod of theirs refers to
 * them, their own node, lease and CSINode. What is not about particular objects follows the role system:node.
 */
export function nodeAuthorizer(cache: CacheReader): Authorizer {
  const rules = (componentRoles["system:node"] ?? []).map(parseRule);
  const byResource = nodeRules(cache);
  return {
    name: "Node",
    authorize(asked) {
      const node = nodeNameOf(asked.user);
      if (node === undefined) return { decision: "noOpinion" };
      const rule = asked.path === undefined ? byResource.get(`${asked.group}/${asked.resource}`) : undefined;
      const special = rule?.(asked, node);
      if (special !== undefined && special !== byRole) return special;
      return rules.some((one) => ruleAllows(one, asked)) ? allow : { decision: "noOpinion" };
    },
    rulesFor: (user) => {
      const isNode = nodeNameOf(user) !== undefined;
      return { rules: [], errors: isNode ? ["node authorizer does not support user rule resolution"] : [] };
    },
  };
}

const allow: AuthorizationDecision = { decision: "allow" };
/** What the role says decides. */
const byRole: AuthorizationDecision = { decision: "noOpinion" };

function no(reason: string): AuthorizationDecision {
  return { decision: "noOpinion", reason };
}

function nodeRules(cache: CacheReader): ReadonlyMap<string, Rule> {
  const local = (node: string, namespace: string | undefined) =>
    podsOnNode(cache, node).filter((pod) => pod.metadata.namespace === namespace);
  const related = (node: string, found: boolean): AuthorizationDecision =>
    found ? allow : no(`no relationship found between node '${node}' and this object`);
  const readNamed =
    (find: (asked: AuthorizationAttributes, node: string, name: string) => boolean, verbs: ReadonlySet<string>): Rule =>
    (asked, node) => {
      if (!verbs.has(asked.verb)) return no(`can only read resources of this type`);
      if (asked.subresource) return no("cannot read subresource");
      if (!asked.name) return no("No Object name found");
      return related(node, find(asked, node, asked.name));
    };
  const get: ReadonlySet<string> = new Set(["get"]);
  const statusVerbs: ReadonlySet<string> = new Set(["get", "update", "patch"]);
  return new Map<string, Rule>([
    [
      "/secrets",
      readNamed(
        ({ namespace }, node, name) => local(node, namespace).some((pod) => podUsesSecret(pod, name, cache)),
        reading,
      ),
    ],
    [
      "/configmaps",
      readNamed(
        ({ namespace }, node, name) => local(node, namespace).some((pod) => podUsesConfigMap(pod, name)),
        reading,
      ),
    ],
    [
      "/persistentvolumes",
      readNamed((_, node, name) => podsOnNode(cache, node).some((pod) => podUsesVolume(pod, name, cache)), get),
    ],
    [
      "resource.k8s.io/resourceclaims",
      readNamed(
        ({ namespace }, node, name) => local(node, namespace).some((pod) => podUsesResourceClaim(pod, name)),
        get,
      ),
    ],
    [
      "storage.k8s.io/volumeattachments",
      readNamed((_, node, name) => cache.get(volumeAttachments, { name })?.spec?.nodeName === node, get),
    ],
    [
      "/persistentvolumeclaims",
      (asked, node) => {
        if (asked.subresource !== "" && asked.subresource !== "status") return no("can only update status subresource");
        const verbs = asked.subresource === "" ? get : statusVerbs;
        if (!verbs.has(asked.verb))
          return no("can only get individual resources of this type, and update their status");
        const name = asked.name ?? "";
        return related(
          node,
          local(node, asked.namespace).some((pod) => podUsesClaim(pod, name)),
        );
      },
    ],
    [
      "/serviceaccounts",
      (asked, node) => {
        const token = asked.verb === "create" && asked.subresource === "token";
        if (!token && (asked.verb !== "get" || asked.subresource)) return byRole;
        const pods = local(node, asked.namespace);
        return related(
          node,
          pods.some((pod) => (pod.spec?.serviceAccountName ?? "default") === asked.name),
        );
      },
    ],
    [
      "coordination.k8s.io/leases",
      own((asked) =>
        asked.namespace === leaseNamespace
          ? undefined
          : `can only access leases in the ${JSON.stringify(leaseNamespace)} system namespace`,
      ),
    ],
    ["storage.k8s.io/csinodes", own(() => undefined)],
    ["resource.k8s.io/resourceslices", (asked, node) => sliceRule(cache, asked, node)],
    ["/pods", (asked, node) => podRule(cache, asked, node)],
    ["/nodes", nodeRule],
  ]);
}

/** Objects that carry the node's own name. */
function own(problem: (asked: AuthorizationAttributes) => string | undefined): Rule {
  return (asked, node) => {
    if (!owning.has(asked.verb)) return no("can only get, create, update, patch, or delete a resource of this type");
    if (asked.subresource) return no("cannot access subresources of this type");
    const found = problem(asked);
    if (found !== undefined) return no(found);
    // The name of what is created is in its body: admission looks at that.
    if (asked.verb !== "create" && asked.name !== node)
      return no("can only access resource with the same name as the requesting node");
    return allow;
  };
}

function podRule(cache: CacheReader, asked: AuthorizationAttributes, node: string): AuthorizationDecision {
  if (asked.subresource) return byRole;
  if (asked.verb === "get") {
    const pod = cache.get(pods, { namespace: asked.namespace ?? "", name: asked.name ?? "" });
    // One that is not there tells nothing, and is soon a 404.
    if (pod === undefined || pod.spec?.nodeName === node) return allow;
    return no(`no relationship found between node '${node}' and this object`);
  }
  if (asked.verb !== "list" && asked.verb !== "watch") return byRole;
  return selects(asked.fieldSelector, "spec.nodeName", node)
    ? allow
    : no("can only list/watch pods with spec.nodeName field selector");
}

/** Devices of the node's own. What is created says of which node it is in its body: admission looks at that. */
function sliceRule(cache: CacheReader, asked: AuthorizationAttributes, node: string): AuthorizationDecision {
  if (asked.subresource) return no("cannot access subresources of this type");
  if (asked.verb === "create") return allow;
  if (selecting.has(asked.verb)) {
    return selects(asked.fieldSelector, "spec.nodeName", node)
      ? allow
      : no("can only list/watch/deletecollection resourceslices with nodeName field selector");
  }
  if (!owning.has(asked.verb)) {
    return no(
      "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection",
    );
  }
  const slice = cache.get(resourceSlices, { name: asked.name ?? "" });
  return slice?.spec?.nodeName === node ? allow : no(`no relationship found between node '${node}' and this object`);
}

const nodeRule: Rule = (asked, node) => {
  if (!reading.has(asked.verb) || asked.subresource) return byRole;
  return asked.name === node
    ? allow
    : no(`node '${node}' cannot read ${asked.name ? `'${asked.name}'` : "all nodes"}, only its own Node object`);
};

function selects(selector: string | undefined, path: string, value: string): boolean {
  if (selector === undefined) return false;
  try {
    return parseFieldSelector(selector).exact(path) === value;
  } catch {
    return false;
  }
}
