import {
  csiDrivers,
  type Pod,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  statusErrors,
  type TokenRequestSpec,
  type Volume,
} from "../../api/index.js";
import type { CacheReader } from "../admission/admission.js";
import type { Authorizer } from "../authz/authorizer.js";
import type { ServerRequest } from "../request.js";

export interface NodeTokenRequest {
  readonly request: ServerRequest;
  /** As sent, without defaults. */
  readonly spec: TokenRequestSpec | Partial<TokenRequestSpec>;
  /** Whose agent asks. */
  readonly node: string;
}

/** Node agents get tokens for their own pods only, for whom their volumes are; upstream's NodeRestriction says it in these words. */
export async function checkNodeTokenRequest(
  { request, spec, node }: NodeTokenRequest,
  { cache, authorizer }: { readonly cache: CacheReader; readonly authorizer?: Authorizer | undefined },
): Promise<void> {
  const { namespace = "", name = "" } = request;
  const refuse = (why: string): Error => statusErrors.forbidden({ group: "", resource: "serviceaccounts" }, name, why);
  const { boundObjectRef: bound, audiences = [] } = spec;
  if (!bound) throw refuse("node requested token not bound to a pod");
  const { apiVersion, kind, uid, name: podName = "" } = bound;
  if (apiVersion !== "v1" || kind !== pods.kind || podName === "")
    throw refuse("node requested token not bound to a pod");
  if (!uid) throw refuse("node requested token with a pod binding without a uid");
  const pod = cache.get(pods, { namespace, name: podName });
  if (pod === undefined) throw statusErrors.notFound({ group: "", resource: "pods" }, podName);
  if (pod.metadata.uid !== uid) {
    const why = `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`;
    throw statusErrors.conflict({ group: "", resource: "pods" }, podName, why);
  }
  if (pod.spec?.nodeName !== node) throw refuse("node requested token bound to a pod scheduled on a different node");
  if (audiences.length > 1) throw refuse("node may only request 0 or 1 audiences");
  const [audience = ""] = audiences;
  if (namesAudience(pod, audience, cache)) return;
  const allowed = await authorizer?.authorize({
    user: request.user,
    verb: "request-serviceaccounts-token-audience",
    group: "",
    version: "v1",
    resource: audience,
    subresource: "",
    namespace,
    name,
  });
  if (allowed?.decision === "allow") return;
  throw refuse(`audience ${JSON.stringify(audience)} not found in pod spec volume`);
}

function namesAudience(pod: Pod, audience: string, cache: CacheReader): boolean {
  return (pod.spec?.volumes ?? []).some((volume) => {
    const projected = volume.projected?.sources?.some(
      ({ serviceAccountToken }) => serviceAccountToken && (serviceAccountToken.audience ?? "") === audience,
    );
    if (projected) return true;
    const driver = driverOf(pod, volume, cache);
    const spec = driver === undefined ? undefined : cache.get(csiDrivers, { name: driver })?.spec;
    return spec?.tokenRequests?.some((one) => one.audience === audience) === true;
  });
}

function driverOf(pod: Pod, volume: Volume, cache: CacheReader): string | undefined {
  if (volume.csi) return volume.csi.driver;
  const { namespace = "", name } = pod.metadata;
  const claimName = volume.ephemeral ? `${name}-${volume.name}` : volume.persistentVolumeClaim?.claimName;
  if (claimName === undefined) return undefined;
  const claim = cache.get(persistentVolumeClaims, { namespace, name: claimName });
  const volumeName = claim?.spec?.volumeName;
  return volumeName ? cache.get(persistentVolumes, { name: volumeName })?.spec?.csi?.driver : undefined;
}
