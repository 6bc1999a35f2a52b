import { everyField, type FieldSelector, parseFieldSelector } from "../../api/field-selector.js";
import { type JsonObject, type KubeObject, type RequestOptions, statusErrors } from "../../api/index.js";
import { everything, parseLabelSelector, type Selector } from "../../api/labels.js";
import type { StoredObject } from "../request.js";
import type { Selection } from "../watchcache/selection.js";
import type { Endpoint } from "./endpoint.js";

/** What a list, watch or deletecollection selects, and whether that is less than everything in its prefix. */
export interface ResolvedSelection extends Selection {
  readonly filtered: boolean;
}

/** Testing one requirement takes as long as parsing so many bytes. */
const requirementBytes = 16;

/** Reads the selectors of a request. Errors: BadRequest for one that cannot be read or a field that the kind does not know. */
export function resolveSelection(
  endpoint: Endpoint,
  namespace: string | undefined,
  name: string | undefined,
  options: RequestOptions,
): ResolvedSelection {
  const labels = readLabelSelector(options.labelSelector);
  const fields = readFieldSelector(endpoint, options.fieldSelector);
  const exactName = name ?? fields.exact("metadata.name");
  const exactNamespace = namespace || fields.exact("metadata.namespace");
  const whole = endpoint.description.namespaced ? exactNamespace : "";
  const prefix = endpoint.prefixOf(whole);
  const exact = exactName && whole !== undefined ? endpoint.keyOf(whole, exactName) : undefined;
  const index = endpoint.indexedFields
    .map((field) => ({ field, value: fields.exact(field) }))
    .find((entry): entry is { field: string; value: string } => entry.value !== undefined);
  const matches = matcher(endpoint, labels, fields);
  return {
    prefix,
    ...(exact === undefined ? {} : { exact }),
    ...(exact === undefined && index !== undefined ? { index } : {}),
    ...(matches === undefined ? {} : { matches }),
    cost: requirementBytes * (labels.requirements.length + fields.requirements.length),
    filtered: matches !== undefined || exact !== undefined,
  };
}

function readLabelSelector(text: string | undefined): Selector {
  if (!text) return everything;
  try {
    return parseLabelSelector(text);
  } catch (cause) {
    throw statusErrors.badRequest(messageOf(cause), { cause });
  }
}

function readFieldSelector(endpoint: Endpoint, text: string | undefined): FieldSelector {
  if (!text) return everyField;
  let selector: FieldSelector;
  try {
    selector = parseFieldSelector(text);
  } catch (cause) {
    throw statusErrors.badRequest(messageOf(cause), { cause });
  }
  const { namespaced, selectableFields, unselectable, custom } = endpoint.description;
  // Kinds that offer no field of their own take a namespace even where they are in none.
  const inNamespace = namespaced || (selectableFields.size === 0 && custom !== true);
  for (const { path } of selector.requirements) {
    if (path === "metadata.name" || (path === "metadata.namespace" && inNamespace)) continue;
    if (!selectableFields.has(path)) {
      throw statusErrors.badRequest(unselectable?.(path) ?? `field label not supported: ${path}`);
    }
  }
  return selector;
}

function matcher(endpoint: Endpoint, labels: Selector, fields: FieldSelector): Selection["matches"] {
  const known = endpoint.description.selectableFields;
  const matchesFields = (stored: StoredObject, once?: boolean): boolean => {
    const object = once ? stored.glimpse : stored.object;
    return fields.matches((path) => {
      if (path === "metadata.name") return object.metadata.name;
      if (path === "metadata.namespace") return object.metadata.namespace ?? "";
      return known.get(path)?.(object as KubeObject & JsonObject) ?? "";
    });
  };
  if (labels.empty) return fields.empty ? undefined : matchesFields;
  const matchesLabels = (stored: StoredObject): boolean => labels.matches(stored.labels);
  return fields.empty ? matchesLabels : (stored, once) => matchesLabels(stored) && matchesFields(stored, once);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
