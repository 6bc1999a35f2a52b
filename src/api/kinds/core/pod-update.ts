import type { StrategyContext } from "../../description.js";
import { type FieldError, forbidden, invalid } from "../../field-error.js";
import type { Container, ContainerStatus, NodeSelector, Pod, PodSpec, Toleration } from "../../gen/types.js";
import { checkImmutable, type Errors } from "../checks.js";
import { semanticallyEqual } from "../equality.js";
import { entriesOf, type Loose, ownValue } from "../loose.js";
import { qosClass } from "./qos.js";

const updatable = [
  "`spec.containers[*].image`",
  "`spec.initContainers[*].image`",
  "`spec.activeDeadlineSeconds`",
  "`spec.tolerations` (only additions to existing tolerations)",
  "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
].join(",");

const mirrorAnnotation = "kubernetes.io/config.mirror";

export function validatePodUpdate(pod: Loose<Pod>, old: Loose<Pod>, context?: StrategyContext): readonly FieldError[] {
  const errors: Errors = [];
  checkMirror(errors, pod, old);
  const spec = pod.spec ?? {};
  const before = old.spec ?? {};
  if (context?.subresource === "ephemeralcontainers") checkEphemeralUpdate(errors, spec, before);
  else if (context?.subresource === "resize") checkResize(errors, spec, before);
  else if (context?.subresource !== "status") checkSpecUpdate(errors, spec, before);
  return errors;
}

function checkMirror(errors: Errors, pod: Loose<Pod>, old: Loose<Pod>): void {
  const path = `metadata.annotations[${mirrorAnnotation}]`;
  const now = ownValue(pod.metadata?.annotations, mirrorAnnotation);
  const then = ownValue(old.metadata?.annotations, mirrorAnnotation);
  if (now === then) return;
  const what = then === undefined ? "may not add" : "may not remove or update";
  errors.push(forbidden(path, `${what} mirror pod annotation`));
}

function checkSpecUpdate(errors: Errors, spec: Loose<PodSpec>, old: Loose<PodSpec>): void {
  // Equal specs are the common case: a change of labels or of an owner.
  if (semanticallyEqual(spec, old)) return;
  for (const kind of ["containers", "initContainers"] as const) {
    if ((spec[kind]?.length ?? 0) === (old[kind]?.length ?? 0)) continue;
    errors.push(forbidden(`spec.${kind}`, "pod updates may not add or remove containers"));
    return;
  }
  checkDeadline(errors, spec.activeDeadlineSeconds, old.activeDeadlineSeconds);
  checkGates(errors, spec, old);
  checkTolerationUpdate(errors, spec.tolerations ?? [], old.tolerations ?? []);
  const gated = (old.schedulingGates?.length ?? 0) > 0;
  let munged: Loose<PodSpec> = {
    ...spec,
    containers: withImages(spec.containers, old.containers),
    initContainers: withImages(spec.initContainers, old.initContainers),
    activeDeadlineSeconds: old.activeDeadlineSeconds,
    schedulingGates: old.schedulingGates,
    tolerations: old.tolerations,
  };
  if ((old.terminationGracePeriodSeconds ?? 0) < 0 && spec.terminationGracePeriodSeconds === 1) {
    munged = { ...munged, terminationGracePeriodSeconds: old.terminationGracePeriodSeconds };
  }
  if (gated) munged = withNarrowedPlacement(errors, munged, old);
  if (!semanticallyEqual(munged, old)) {
    const why = `pod updates may not change fields other than ${updatable}\n${differences(old, munged)}`;
    errors.push(forbidden("spec", why));
  }
}

function checkDeadline(errors: Errors, now: number | undefined, then: number | undefined): void {
  const path = "spec.activeDeadlineSeconds";
  if (then === undefined) return;
  if (now === undefined) errors.push(invalid(path, now, "must not update from a positive integer to nil value"));
  else if (now > then) errors.push(invalid(path, now, "must be less than or equal to previous value"));
}

function checkGates(errors: Errors, spec: Loose<PodSpec>, old: Loose<PodSpec>): void {
  const known = new Set((old.schedulingGates ?? []).map((gate) => gate.name));
  const added = (spec.schedulingGates ?? []).map((gate) => gate.name ?? "").filter((name) => !known.has(name));
  if (added.length === 0) return;
  errors.push(
    forbidden("spec.schedulingGates", `only deletion is allowed, but found new scheduling gate '${added[0]}'`),
  );
}

function checkTolerationUpdate(
  errors: Errors,
  tolerations: readonly Loose<Toleration>[],
  old: readonly Loose<Toleration>[],
): void {
  const same = (a: Loose<Toleration>, b: Loose<Toleration>): boolean =>
    semanticallyEqual({ ...a, tolerationSeconds: undefined }, { ...b, tolerationSeconds: undefined });
  if (old.every((toleration) => tolerations.some((candidate) => same(candidate, toleration)))) return;
  errors.push(forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds"));
}

function withImages(
  containers: readonly Loose<Container>[] | undefined,
  old: readonly Loose<Container>[] | undefined,
): readonly Loose<Container>[] | undefined {
  return containers?.map((container, index) => ({ ...container, image: old?.[index]?.image }));
}

/** A pod that is held back by gates may still be told more closely where to go. */
function withNarrowedPlacement(errors: Errors, spec: Loose<PodSpec>, old: Loose<PodSpec>): Loose<PodSpec> {
  let result = spec;
  if (!semanticallyEqual(spec.nodeSelector, old.nodeSelector, true)) {
    for (const [key, value] of entriesOf(old.nodeSelector)) {
      if (ownValue(spec.nodeSelector, key) !== value) {
        const why = "only additions are allowed, no deletions, mutations";
        errors.push(invalid(`spec.nodeSelector`, spec.nodeSelector, why));
        break;
      }
    }
    result = { ...result, nodeSelector: old.nodeSelector };
  }
  const needed = "requiredDuringSchedulingIgnoredDuringExecution";
  const nodeAffinity = spec.affinity?.nodeAffinity;
  if (nodeAffinity === undefined || semanticallyEqual(nodeAffinity, old.affinity?.nodeAffinity)) return result;
  checkNarrowedTerms(errors, nodeAffinity[needed], old.affinity?.nodeAffinity?.[needed]);
  const { nodeAffinity: _now, ...others } = result.affinity ?? {};
  const then = old.affinity?.nodeAffinity;
  return { ...result, affinity: then === undefined ? others : { ...others, nodeAffinity: then } };
}

function checkNarrowedTerms(
  errors: Errors,
  selector: Loose<NodeSelector> | undefined,
  old: Loose<NodeSelector> | undefined,
): void {
  const path = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";
  if (old === undefined) return;
  const terms = selector?.nodeSelectorTerms ?? [];
  const before = old.nodeSelectorTerms ?? [];
  if (terms.length !== before.length) {
    errors.push(invalid(path, terms, "no additions/deletions to non-empty NodeSelectorTerms list are allowed"));
    return;
  }
  before.forEach((term, index) => {
    const next = terms[index] ?? {};
    const keeps = (["matchExpressions", "matchFields"] as const).every((field) =>
      (term[field] ?? []).every((item, position) => semanticallyEqual(next[field]?.[position], item)),
    );
    if (keeps) return;
    errors.push(invalid(`${path}[${index}]`, next, "only additions are allowed, no mutations or deletions"));
  });
}

function checkEphemeralUpdate(errors: Errors, spec: Loose<PodSpec>, old: Loose<PodSpec>): void {
  const now = new Map((spec.ephemeralContainers ?? []).map((container) => [container.name, container]));
  for (const container of old.ephemeralContainers ?? []) {
    const next = now.get(container.name);
    const name = JSON.stringify(container.name ?? "");
    if (next === undefined) {
      errors.push(forbidden("spec.ephemeralContainers", `existing ephemeral containers ${name} may not be removed\n`));
    } else if (!semanticallyEqual(next, container)) {
      const why = `existing ephemeral containers ${name} may not be changed\n${differences(container, next)}`;
      errors.push(forbidden("spec.ephemeralContainers", why));
    }
  }
}

function checkResize(errors: Errors, spec: Loose<PodSpec>, old: Loose<PodSpec>): void {
  if (qosClass(spec) !== qosClass(old)) {
    errors.push(invalid("spec", qosClass(spec), "Pod QOS Class may not change as a result of resizing"));
  }
  const onlyCompute = (container: Loose<Container>): unknown => {
    const { resizePolicy: _policy, resources = {}, ...others } = container;
    const rest = (list: typeof resources.limits): unknown =>
      Object.fromEntries(Object.entries(list ?? {}).filter(([name]) => name !== "cpu" && name !== "memory"));
    return {
      ...others,
      resources: { ...resources, limits: rest(resources.limits), requests: rest(resources.requests) },
    };
  };
  for (const kind of ["containers", "initContainers"] as const) {
    if (!semanticallyEqual(spec[kind]?.map(onlyCompute), old[kind]?.map(onlyCompute))) {
      errors.push(forbidden("spec", "only cpu and memory resources are mutable"));
      return;
    }
  }
}

export function validatePodStatusUpdate(pod: Loose<Pod>, old: Loose<Pod>): readonly FieldError[] {
  const errors: Errors = [];
  const status = pod.status ?? {};
  if (status.qosClass !== undefined && old.status?.qosClass !== undefined) {
    checkImmutable(errors, "status.qosClass", status.qosClass, old.status.qosClass);
  }
  const policy = pod.spec?.restartPolicy;
  if (policy !== "Always") {
    checkStates(errors, "status.containerStatuses", status.containerStatuses, old.status?.containerStatuses, policy);
  }
  return errors;
}

/** What has ended for good may not run again. */
function checkStates(
  errors: Errors,
  path: string,
  statuses: readonly Loose<ContainerStatus>[] | undefined,
  old: readonly Loose<ContainerStatus>[] | undefined,
  policy: string | undefined,
): void {
  for (const before of old ?? []) {
    const ended = before.state?.terminated;
    if (ended === undefined || (policy === "OnFailure" && ended.exitCode !== 0)) continue;
    const index = (statuses ?? []).findIndex((status) => status.name === before.name);
    const now = statuses?.[index];
    if (now === undefined || now.state?.terminated !== undefined) continue;
    // A container may have its own restart policy or rules, of which the status does not speak.
    if ((now.restartCount ?? 0) > (before.restartCount ?? 0)) continue;
    errors.push(forbidden(`${path}[${index}].state`, "may not be transitioned to non-terminated state"));
  }
}

/** The lines that differ, for people to read. */
function differences(old: unknown, now: unknown): string {
  const before = (JSON.stringify(old, undefined, 2) ?? "").split("\n");
  const after = (JSON.stringify(now, undefined, 2) ?? "").split("\n");
  const gone = new Set(before);
  const come = new Set(after);
  return [
    ...before.filter((line) => !come.has(line)).map((line) => `- ${line}`),
    ...after.filter((line) => !gone.has(line)).map((line) => `+ ${line}`),
    "",
  ].join("\n");
}
