import { isJsonObject } from "../../api/json-value.js";
import type { AdmissionRequest } from "./admission.js";

/** What the audit event of a request says of one call of a mutating webhook, under upstream's keys. */
export interface MutationRecord {
  mutated(mutated: boolean): void;
  /** Kept from level Request on: a patch tells what was sent. */
  patched(patch: unknown): void;
  readonly failedOpen: () => void;
}

interface CalledWebhook {
  readonly configuration: string;
  readonly index: number;
  readonly webhook: { readonly name: string };
}

export function mutationRecord(
  { configuration, index, webhook: { name } }: CalledWebhook,
  { annotate, reinvocation }: AdmissionRequest,
): MutationRecord {
  const round = reinvocation?.again === true ? 1 : 0;
  const place = `webhook.admission.k8s.io/round_${round}_index_${index}`;
  const named = { configuration, webhook: name };
  return {
    mutated: (mutated) => annotate?.(`mutation.${place}`, JSON.stringify({ ...named, mutated })),
    patched: (patch) =>
      annotate?.(`patch.${place}`, JSON.stringify({ ...named, patch, patchType: "JSONPatch" }), "Request"),
    failedOpen: () => annotate?.(failedOpenKey("mutation", round, index), name),
  };
}

/** The key that says that a webhook was not heard, and the request went on. */
export function failedOpenKey(type: "mutation" | "validating", round: number, index: number): string {
  return `failed-open.${type}.webhook.admission.k8s.io/round_${round}_index_${index}`;
}

/** The annotations that a webhook gives itself, below its name. */
export function annotateFor({ name }: CalledWebhook["webhook"], given: unknown, { annotate }: AdmissionRequest): void {
  if (annotate === undefined || !isJsonObject(given)) return;
  for (const [key, value] of Object.entries(given)) if (typeof value === "string") annotate(`${name}/${key}`, value);
}
