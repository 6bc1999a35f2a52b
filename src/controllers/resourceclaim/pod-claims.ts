import type { Pod } from "../../api/index.js";
import { claimNameOf } from "../../api/pod-claims.js";

/** The pod's own name for a claim that was made for it from a template. */
export const podClaimAnnotation = "resource.kubernetes.io/pod-claim-name";

/** `namespace/name` of every claim of the pod that has a name, the one for its extended resources included. */
export function claimKeysOf(pod: Pod): readonly string[] {
  const { metadata, spec, status } = pod;
  const names = (spec?.resourceClaims ?? []).map((claim) => claimNameOf(pod, claim));
  return [...names, status?.extendedResourceClaimStatus?.resourceClaimName]
    .filter((name) => name !== undefined)
    .map((name) => `${metadata.namespace}/${name}`);
}

/** How much of a generated name leaves room for a hyphen and what the server appends, within the 63 characters of a label. */
const maxBase = 57;

/** `POD-CLAIM-`; of long names a part of each, by their length. */
export function generateNameFor(pod: string, claim: string): string {
  const whole = `${pod}-${claim}-`;
  if (whole.length <= maxBase) return whole;
  const part = (name: string): string => name.slice(0, Math.floor((name.length * maxBase) / whole.length));
  return `${part(pod)}-${part(claim)}`;
}
