import { validateDns1123Label } from "../../names.js";
import { templateWarnings } from "../core/pod-warnings.js";

type Template = Parameters<typeof templateWarnings>[1];

interface Numbered {
  readonly metadata?: { readonly name?: string | undefined; readonly generation?: number | undefined } | undefined;
}

interface Workload extends Numbered {
  readonly spec?: { readonly template?: Template } | undefined;
}

/** Warnings about the template, of a new object and of one whose spec changed. */
export function workloadWarnings(object: Workload, old: Workload | undefined): readonly string[] {
  return isChanged(object, old) ? templateWarnings("spec.template", object.spec?.template) : [];
}

/** As workloadWarnings, of a kind whose name becomes part of the pods' names and hostnames. */
export function namedWorkloadWarnings(object: Workload, old: Workload | undefined): readonly string[] {
  return [...(old === undefined ? podNameWarnings(object.metadata?.name) : []), ...workloadWarnings(object, old)];
}

export function isChanged(object: Numbered, old: Numbered | undefined): boolean {
  return old === undefined || object.metadata?.generation !== old.metadata?.generation;
}

export function podNameWarnings(name = "", use = "in Pod names and hostnames"): readonly string[] {
  const wrong = validateDns1123Label(name);
  if (wrong.length === 0) return [];
  const why = "which can result in surprising behavior; a DNS label is recommended";
  return [`metadata.name: this is used ${use}, ${why}: [${wrong.join(" ")}]`];
}
