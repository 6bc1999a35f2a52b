import type { StrategyContext } from "../../description.js";
import { type FieldError, forbidden, invalid } from "../../field-error.js";
import type { Container, NodeSelector, Pod, PodSpec, Toleration } from "../../gen/types.js";
import type { Errors } from "../checks.js";
import { semanticallyEqual } from "../equality.js";
import { entriesOf, type Loose, ownValue } from "../loose.js";
import { appArmorPrefix, mirrorAnnotation } from "./pod-annotations.js";
import { validateResize } from "./pod-resize.js";

const maxInt32 = 2147483647;

const updatable = [
  "`spec.containers[*].image`",
  "`spec.initContainers[*].image`",
  "`spec.activeDeadlineSeconds`",
  "`spec.tolerations` (only additions to existing tolerations)",
  "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
].join(",");

export function validatePodUpdate(pod: Loose<Pod>, old: Loose<Pod>, context?: StrategyContext): readonly FieldError[] {
  const errors: Errors = [];
  if (context?.subresource === "resize") return validateResize(pod, old);
  checkFixedAnnotations(errors, pod, old);
  const spec = pod.spec ?? {};
  const before = old.spec ?? {};
  if (context?.subresource === "ephemeralcontainers") checkEphemeralUpdate(errors, spec, before, isMirror(old));
  else checkSpecUpdate(errors, spec, before);
  return errors;
}

function isMirror(pod: Loose<Pod>): boolean {
  return ownValue(pod.metadata?.annotations, mirrorAnnotation) !== undefined;
}

/** What says where a pod comes from, or how it is confined, stays. */
function checkFixedAnnotations(errors: Errors, pod: Loose<Pod>, old: Loose<Pod>): void {
  const now = pod.metadata?.annotations;
  const then = old.metadata?.annotations;
  const check = (key: string, what: string): void => {
    const at = `metadata.annotations[${key}]`;
    if (key.startsWith(appArmorPrefix)) errors.push(forbidden(at, `may not ${what} AppArmor annotations`));
    if (key === mirrorAnnotation) errors.push(forbidden(at, `may not ${what} mirror pod annotation`));
  };
  for (const [key, value] of entriesOf(then)) if (ownValue(now, key) !== value) check(key, "remove or update");
  for (const [key] of entriesOf(now)) if (ownValue(then, key) === undefined) check(key, "add");
}

function checkSpecUpdate(errors: Errors, spec: Loose<PodSpec>, old: Loose<PodSpec>): void {
  // Equal specs are the common case: a change of labels or of an owner.
  if (semanticallyEqual(spec, old)) return;
  for (const kind of ["containers", "initContainers"] as const) {
    if ((spec[kind]?.length ?? 0) === (old[kind]?.length ?? 0)) continue;
    errors.push(forbidden(`spec.${kind}`, "pod updates may not add or remove containers"));
    return;
  }
  if (!checkDeadline(errors, spec.activeDeadlineSeconds, old.activeDeadlineSeconds)) return;
  checkTolerationUpdate(errors, spec.tolerations ?? [], old.tolerations ?? []);
  checkGates(errors, spec, old);
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

/** Whether there is a point in looking further. */
function checkDeadline(errors: Errors, now: number | undefined, then: number | undefined): boolean {
  const path = "spec.activeDeadlineSeconds";
  if (now === undefined) {
    if (then !== undefined) errors.push(invalid(path, null, "must not update from a positive integer to nil value"));
    return true;
  }
  if (now < 0 || now > maxInt32) {
    errors.push(invalid(path, now, `must be between 0 and ${maxInt32}, inclusive`));
    return false;
  }
  if (then === undefined || now <= then) return true;
  errors.push(invalid(path, now, "must be less than or equal to previous value"));
  return false;
}

function checkGates(errors: Errors, spec: Loose<PodSpec>, old: Loose<PodSpec>): void {
  const known = new Set((old.schedulingGates ?? []).map((gate) => gate.name));
  spec.schedulingGates?.forEach(({ name = "" }, index) => {
    if (known.has(name)) return;
    const why = `only deletion is allowed, but found new scheduling gate '${name}'`;
    errors.push(forbidden(`spec.schedulingGates[${index}].name`, why));
  });
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
        const why = "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
        errors.push(invalid("spec.nodeSelector", spec.nodeSelector ?? null, why));
        break;
      }
    }
    result = { ...result, nodeSelector: old.nodeSelector };
  }
  const needed = "requiredDuringSchedulingIgnoredDuringExecution";
  const nodeAffinity = spec.affinity?.nodeAffinity;
  if (semanticallyEqual(nodeAffinity, old.affinity?.nodeAffinity)) return result;
  checkNarrowedTerms(errors, nodeAffinity?.[needed], old.affinity?.nodeAffinity?.[needed]);
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
  if (before.length === 0) return;
  if (terms.length !== before.length) {
    errors.push(invalid(path, terms, "no additions/deletions to non-empty NodeSelectorTerms list are allowed"));
    return;
  }
  before.forEach((term, index) => {
    const next = terms[index] ?? {};
    const fields = ["matchExpressions", "matchFields"] as const;
    // A term without requirements matches nothing, and with some it would match something.
    const grew = fields.every((field) => !term[field]?.length) && fields.some((field) => next[field]?.length);
    const keeps = fields.every((field) =>
      (term[field] ?? []).every((item, position) => semanticallyEqual(next[field]?.[position], item)),
    );
    if (keeps && !grew) return;
    errors.push(invalid(`${path}[${index}]`, next, "only additions are allowed (no mutations or deletions)"));
  });
}

function checkEphemeralUpdate(errors: Errors, spec: Loose<PodSpec>, old: Loose<PodSpec>, mirror: boolean): void {
  if (mirror) {
    errors.push(forbidden("", "static pods do not support ephemeral containers"));
    return;
  }
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
