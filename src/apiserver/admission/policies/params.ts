import type { KubeObject, ParamKind, ParamRef, ResourceDescription } from "../../../api/index.js";
import { parseApiVersion } from "../../../api/index.js";
import { selectorFromLabelSelector } from "../../../api/labels.js";
import type { CacheReader } from "../admission.js";

/** Why a policy or its binding cannot be used as it is written. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
}

export interface ParamDeps {
  readonly cache: CacheReader;
  /** The resource of a kind that is served now. */
  readonly resourceOf: (kind: { group: string; version: string; kind: string }) => ResourceDescription | undefined;
  /** Looks in the store for what the cache does not have: another server may just have made it. */
  readonly liveObject: (resource: ResourceDescription, key: ParamKey) => Promise<KubeObject | undefined>;
}

interface ParamKey {
  readonly namespace?: string;
  readonly name: string;
}

/** Throws ConfigurationError for a kind that is not served. */
export function paramResource(kind: ParamKind, { resourceOf }: ParamDeps): ResourceDescription {
  const { group, version } = parseApiVersion(kind.apiVersion ?? "");
  const found = resourceOf({ group, version, kind: kind.kind ?? "" });
  if (found !== undefined) return found;
  throw new ConfigurationError(
    `failed to find resource referenced by paramKind: '${group === "" ? `/${version}` : `${group}/${version}`}, Kind=${kind.kind}'`,
  );
}

/**
 * The objects that a policy is evaluated with, once for each; `undefined` once where it takes none. None at all: nothing is evaluated. Rejects
 * with ConfigurationError.
 */
export async function paramsOf(
  resource: ResourceDescription | undefined,
  ref: ParamRef | undefined,
  requestNamespace: string,
  deps: ParamDeps,
): Promise<readonly (KubeObject | undefined)[]> {
  if (resource === undefined || ref === undefined) return [undefined];
  const namespace = paramNamespace(resource, ref, requestNamespace);
  const found = await selected(resource, ref, namespace, deps);
  if (found.length === 0 && ref.parameterNotFoundAction === "Deny") {
    throw new ConfigurationError("no params found for policy binding with `Deny` parameterNotFoundAction");
  }
  return found;
}

function paramNamespace(resource: ResourceDescription, ref: ParamRef, requestNamespace: string): string | undefined {
  if (!resource.namespaced) {
    if (!ref.namespace) return undefined;
    throw new ConfigurationError("paramRef.namespace must not be provided for a cluster-scoped `paramKind`");
  }
  const namespace = ref.namespace || requestNamespace;
  if (namespace !== "") return namespace;
  throw new ConfigurationError(
    "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources",
  );
}

async function selected(
  resource: ResourceDescription,
  { name, selector }: ParamRef,
  namespace: string | undefined,
  { cache, liveObject }: ParamDeps,
): Promise<readonly KubeObject[]> {
  if (name) {
    const key = namespace === undefined ? { name } : { namespace, name };
    const found = cache.get(resource, key) ?? (await liveObject(resource, key));
    return found === undefined ? [] : [found];
  }
  if (selector === undefined) throw new ConfigurationError("one of name or selector must be provided");
  const wanted = selectorFromLabelSelector(selector);
  return cache.list(resource, namespace).filter(({ metadata }) => wanted.matches(metadata.labels));
}
