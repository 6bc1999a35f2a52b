import {
  type JsonObject,
  type Namespace,
  namespaces,
  type PodTemplateSpec,
  pods,
  statusErrors,
} from "../../../api/index.js";
import { isJsonObject } from "../../../api/json-value.js";
import type { AdmissionPlugin, AdmissionRequest, CacheReader } from "../admission.js";
import { metadataOf, refuse } from "../objects.js";
import type { Subject } from "./check.js";
import { format, isStricter, type LevelVersion, type Policy, policyOf, privileged } from "./policy.js";
import { violations } from "./restricted.js";

export interface PodSecurityDeps {
  readonly cache: CacheReader;
  readonly liveNamespace?: ((name: string) => Promise<Namespace | undefined>) | undefined;
  /** For namespaces that say nothing. Default: privileged. */
  readonly defaults?: Policy | undefined;
  readonly exempt?:
    | {
        readonly usernames?: readonly string[];
        readonly namespaces?: readonly string[];
        readonly runtimeClasses?: readonly string[];
      }
    | undefined;
}

/** How many pods a stricter namespace is looked through for. */
const maxPodsChecked = 3000;

/** Holds pods to the Pod Security Standards that their namespace's labels name. */
export function podSecurity(deps: PodSecurityDeps): AdmissionPlugin {
  const plugin = new PodSecurity(deps);
  return {
    name: "PodSecurity",
    handles: (request) => request.operation === "CREATE" || request.operation === "UPDATE",
    validate: (request) => plugin.validate(request),
  };
}

class PodSecurity {
  readonly #deps: PodSecurityDeps;
  readonly #defaults: Policy;

  constructor(deps: PodSecurityDeps) {
    this.#deps = deps;
    this.#defaults = deps.defaults ?? privileged;
  }

  async validate(request: AdmissionRequest): Promise<void> {
    const { group, resource, subresource } = request;
    if (group === "" && resource === "namespaces") {
      if (subresource === "") this.#validateNamespace(request);
      return;
    }
    if (group === "" && resource === "pods") {
      if (subresource === "" || subresource === "ephemeralcontainers") await this.#validatePod(request);
      return;
    }
    const template = subresource === "" ? templateOf(request) : undefined;
    if (template !== undefined) await this.#warnOf(request, template);
  }

  async #validatePod(request: AdmissionRequest): Promise<void> {
    const policy = await this.#policyFor(request);
    if (policy === undefined || !isSignificant(request)) return;
    const subject = subjectOf(request.object);
    if (this.#isExemptRuntime(subject)) return annotateExempt(request, "runtimeClass");
    request.annotate?.(`${annotationPrefix}enforce-policy`, format(policy.enforce));
    annotateViolations(request, judge(subject, policy.audit));
    const refused = judge(subject, policy.enforce);
    if (refused !== undefined) throw refuse(request, `violates PodSecurity ${refused}`);
    const warning = judge(subject, policy.warn);
    if (warning !== undefined) request.warn(`would violate PodSecurity ${warning}`);
  }

  /** What makes pods is only told, and its pods are refused later: it may be there before the namespace changes. */
  async #warnOf(request: AdmissionRequest, template: PodTemplateSpec): Promise<void> {
    const policy = await this.#policyFor(request);
    if (policy === undefined) return;
    const subject = { spec: template.spec ?? {}, annotations: template.metadata?.annotations ?? {} };
    if (this.#isExemptRuntime(subject)) return annotateExempt(request, "runtimeClass");
    annotateViolations(request, judge(subject, policy.audit));
    const warning = judge(subject, policy.warn);
    if (warning !== undefined) request.warn(`would violate PodSecurity ${warning}`);
  }

  /** Undefined: nothing is checked for this namespace and user. */
  async #policyFor(request: AdmissionRequest): Promise<Policy | undefined> {
    const { namespace, user } = request;
    const { cache, liveNamespace, exempt } = this.#deps;
    const why = exempt?.namespaces?.includes(namespace)
      ? "namespace"
      : exempt?.usernames?.includes(user.username)
        ? "user"
        : undefined;
    if (why !== undefined) return void annotateExempt(request, why);
    const found = cache.get(namespaces, { name: namespace }) ?? (await liveNamespace?.(namespace));
    const { policy } = policyOf(found?.metadata.labels ?? {}, this.#defaults);
    const { enforce, audit, warn } = policy;
    return [enforce, audit, warn].every(({ level }) => level === "privileged") ? undefined : policy;
  }

  #isExemptRuntime({ spec }: Subject): boolean {
    const { runtimeClassName } = spec;
    return runtimeClassName !== undefined && (this.#deps.exempt?.runtimeClasses?.includes(runtimeClassName) ?? false);
  }

  #validateNamespace(request: AdmissionRequest): void {
    const now = policyOf(metadataOf(request.object).labels ?? {}, this.#defaults);
    const before = policyOf(metadataOf(request.oldObject).labels ?? {}, this.#defaults);
    // One that was wrong already may be mended in steps.
    if (now.errors.length > 0) {
      if (before.errors.length === 0) throw statusErrors.invalid("", "Namespace", request.name, now.errors);
      return;
    }
    const { enforce } = now.policy;
    const same = enforce.level === before.policy.enforce.level && enforce.minor === before.policy.enforce.minor;
    const looser = isStricter(before.policy.enforce, enforce);
    if (request.oldObject === undefined || same || looser || this.#deps.exempt?.namespaces?.includes(request.name))
      return;
    this.#warnOfPods(request, enforce);
  }

  #warnOfPods(request: AdmissionRequest, enforce: LevelVersion): void {
    const byWarning = new Map<string, string[]>();
    for (const pod of this.#deps.cache.list(pods, request.name).slice(0, maxPodsChecked)) {
      const subject = { spec: pod.spec ?? {}, annotations: pod.metadata.annotations ?? {} };
      if (this.#isExemptRuntime(subject)) continue;
      const reasons = violations(subject, enforce).map(({ reason }) => reason);
      if (reasons.length === 0) continue;
      const warning = reasons.join(", ");
      byWarning.set(warning, [...(byWarning.get(warning) ?? []), pod.metadata.name]);
    }
    if (byWarning.size === 0) return;
    const name = JSON.stringify(request.name);
    request.warn(`existing pods in namespace ${name} violate the new PodSecurity enforce level "${format(enforce)}"`);
    const lines = [...byWarning].map(([warning, [first = "", ...others]]) => {
      const more = others.length === 1 ? " (and 1 other pod)" : ` (and ${others.length} other pods)`;
      return `${first}${others.length === 0 ? "" : more}: ${warning}`;
    });
    for (const line of lines.sort()) request.warn(line);
  }
}

const annotationPrefix = "pod-security.kubernetes.io/";

function annotateExempt({ annotate }: AdmissionRequest, why: "namespace" | "user" | "runtimeClass"): void {
  annotate?.(`${annotationPrefix}exempt`, why);
}

function annotateViolations({ annotate }: AdmissionRequest, found: string | undefined): void {
  if (found !== undefined) annotate?.(`${annotationPrefix}audit-violations`, `would violate PodSecurity ${found}`);
}

/** `"restricted:latest": reason (detail), ...`; undefined: nothing is wrong. */
function judge(subject: Subject, standard: LevelVersion): string | undefined {
  const found = violations(subject, standard);
  if (found.length === 0) return undefined;
  const list = found.map(({ reason, detail }) => (detail === "" ? reason : `${reason} (${detail})`)).join(", ");
  return `"${format(standard)}": ${list}`;
}

function subjectOf(object: JsonObject | undefined): Subject {
  const spec = object?.["spec"];
  // Decoded as a pod by now.
  return {
    spec: isJsonObject(spec) ? (spec as Subject["spec"]) : {},
    annotations: metadataOf(object).annotations ?? {},
  };
}

/** Of what a pod may change, its images and its ephemeral containers: labels may change in a namespace that is stricter by now. */
function isSignificant({ operation, object, oldObject }: AdmissionRequest): boolean {
  if (operation === "CREATE") return true;
  const images = (pod: Subject): unknown => [
    (pod.spec.containers ?? []).map(({ image }) => image ?? ""),
    (pod.spec.initContainers ?? []).map(({ image }) => image ?? ""),
    (pod.spec.ephemeralContainers ?? []).map(({ name, image }) => [name, image ?? ""]),
  ];
  return JSON.stringify(images(subjectOf(object))) !== JSON.stringify(images(subjectOf(oldObject)));
}

/** The template of pods in what makes them; undefined: it makes none. */
function templateOf({ group, resource, object }: AdmissionRequest): PodTemplateSpec | undefined {
  const at = (path: readonly string[]): PodTemplateSpec | undefined => {
    let value: unknown = object;
    for (const field of path) value = isJsonObject(value) ? value[field] : undefined;
    return isJsonObject(value) ? (value as PodTemplateSpec) : undefined;
  };
  switch (`${group}/${resource}`) {
    case "/podtemplates":
      return at(["template"]);
    case "/replicationcontrollers":
    case "apps/replicasets":
    case "apps/deployments":
    case "apps/statefulsets":
    case "apps/daemonsets":
    case "batch/jobs":
      return at(["spec", "template"]);
    case "batch/cronjobs":
      return at(["spec", "jobTemplate", "spec", "template"]);
    default:
      return undefined;
  }
}
