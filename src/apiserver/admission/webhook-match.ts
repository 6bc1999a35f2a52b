import { type JsonObject, type Labels, namespaces, type ValidatingWebhookConfiguration } from "../../api/index.js";
import { selectorFromLabelSelector } from "../../api/labels.js";
import type { AdmissionRequest, CacheReader } from "./admission.js";
import { metadataOf } from "./objects.js";

export type Webhook = NonNullable<ValidatingWebhookConfiguration["webhooks"]>[number];

const own: ReadonlySet<string> = new Set(["mutatingwebhookconfigurations", "validatingwebhookconfigurations"]);

/** Whether a webhook wants to see this write. Its own configurations are never sent to any: nobody could mend them. */
export function webhookMatches(webhook: Webhook, request: AdmissionRequest, cache: CacheReader): boolean {
  if (request.group === "admissionregistration.k8s.io" && own.has(request.resource)) return false;
  if (!(webhook.rules ?? []).some((rule) => ruleMatches(rule, request))) return false;
  if (!selectorFromLabelSelector(webhook.namespaceSelector ?? {}).matches(namespaceLabels(request, cache)))
    return false;
  const selector = selectorFromLabelSelector(webhook.objectSelector ?? {});
  return (
    selector.matches(labelsOf(request.object)) ||
    (request.oldObject !== undefined && selector.matches(labelsOf(request.oldObject)))
  );
}

function ruleMatches(rule: NonNullable<Webhook["rules"]>[number], request: AdmissionRequest): boolean {
  const { scope } = rule;
  const namespaced = request.namespace !== "" && !(request.resource === "namespaces" && request.group === "");
  if (scope === "Namespaced" && !namespaced) return false;
  if (scope === "Cluster" && namespaced) return false;
  return (
    has(rule.operations, request.operation) &&
    has(rule.apiGroups, request.group) &&
    has(rule.apiVersions, request.version) &&
    (rule.resources ?? []).some((pattern) => resourceMatches(pattern, request.resource, request.subresource))
  );
}

function has(values: readonly string[] | undefined, value: string): boolean {
  return values !== undefined && (values.includes("*") || values.includes(value));
}

function resourceMatches(pattern: string, resource: string, subresource: string): boolean {
  if (pattern === "*/*") return true;
  const [wanted = "", wantedSub = ""] = pattern.split("/");
  return (wanted === "*" || wanted === resource) && (wantedSub === "*" || wantedSub === subresource);
}

/** Cluster-scoped objects match every namespace selector; a namespace is matched by its own labels. */
function namespaceLabels(request: AdmissionRequest, cache: CacheReader): Labels {
  if (request.resource === "namespaces" && request.group === "") {
    return labelsOf(request.object ?? request.oldObject);
  }
  return cache.get(namespaces, { name: request.namespace })?.metadata.labels ?? {};
}

function labelsOf(object: JsonObject | undefined): Labels {
  return metadataOf(object).labels ?? {};
}
