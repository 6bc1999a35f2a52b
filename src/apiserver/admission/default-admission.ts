import type { Namespace, ServiceAccount } from "../../api/index.js";
import type { Clock } from "../../internal/clock.js";
import type { Random } from "../../internal/random.js";
import type { DefaultAuthorizer } from "../authz/default-authorizer.js";
import { rbacEscalation } from "../authz/escalation.js";
import type { AdmissionPlugin, CacheReader } from "./admission.js";
import { certificateApproval, certificateSigning, certificateSubjectRestriction } from "./certificates.js";
import {
  defaultIngressClass,
  defaultStorageClass,
  runtimeClass,
  storageObjectInUseProtection,
} from "./class-defaults.js";
import { limitRanger } from "./limit-ranger.js";
import { namespaceLifecycle } from "./namespace-lifecycle.js";
import { nodeRestriction } from "./node-restriction.js";
import { type PodSecurityDeps, podSecurity } from "./pod-security/pod-security.js";
import { priority } from "./priority.js";
import { type ResourceQuotaDeps, resourceQuota } from "./resource-quota.js";
import { serviceAccount } from "./service-account.js";
import { defaultTolerationSeconds, taintNodesByCondition } from "./tolerations-and-taints.js";

export interface DefaultAdmissionDeps {
  readonly cache: CacheReader;
  readonly clock: Clock;
  readonly random: Random;
  /** Absent: escalation and certificates are not checked, as on a server where everything is allowed. */
  readonly authorizer?: DefaultAuthorizer | undefined;
  readonly liveNamespace?: ((name: string) => Promise<Namespace | undefined>) | undefined;
  readonly liveServiceAccount?: ((namespace: string, name: string) => Promise<ServiceAccount | undefined>) | undefined;
  /** How quotas are charged; absent: they are not enforced. */
  readonly quota?: Omit<ResourceQuotaDeps, "cache"> | undefined;
  /** Admission policies, mutating and validating; absent: none are evaluated. */
  readonly policies?: readonly AdmissionPlugin[] | undefined;
  /** Mutating and validating webhooks; absent: none are called. */
  readonly webhooks?: readonly AdmissionPlugin[] | undefined;
  /** What namespaces without labels are held to, and who is exempt. Absent: as upstream without a configuration, nothing and nobody. */
  readonly podSecurity?: Pick<PodSecurityDeps, "defaults" | "exempt"> | undefined;
  /** Names of plugins to leave out. */
  readonly disabled?: readonly string[];
  /** Plugins of the user's own, after the mutating ones and before quotas. */
  readonly more?: readonly AdmissionPlugin[];
}

/** Upstream's default plugins, in upstream's order. */
export function defaultAdmission(deps: DefaultAdmissionDeps): readonly AdmissionPlugin[] {
  const { authorizer, cache } = deps;
  const plugins: AdmissionPlugin[] = [
    namespaceLifecycle(deps),
    limitRanger(deps),
    serviceAccount(deps),
    nodeRestriction(deps),
    taintNodesByCondition,
    podSecurity({ cache, liveNamespace: deps.liveNamespace, ...deps.podSecurity }),
    priority(deps),
    defaultTolerationSeconds(),
    defaultStorageClass(deps),
    storageObjectInUseProtection,
    runtimeClass(deps),
    ...(authorizer === undefined
      ? []
      : [
          certificateApproval({ authorizer }),
          certificateSigning({ authorizer }),
          rbacEscalation({ cache, rbac: authorizer.rbac, authorizer }),
        ]),
    certificateSubjectRestriction({ organizationsOf }),
    defaultIngressClass(deps),
    ...(deps.more ?? []),
    // Of each phase policies come before webhooks.
    ...(deps.policies ?? []),
    ...(deps.webhooks ?? []),
    ...(deps.quota === undefined ? [] : [resourceQuota({ cache, ...deps.quota })]),
  ];
  return plugins.filter((plugin) => !deps.disabled?.includes(plugin.name));
}

/** Loaded when the first request for a certificate comes: most servers never see one, and it is a heavy door. */
async function organizationsOf(pem: string): Promise<readonly string[]> {
  const { parseCertificateRequest } = await import("../pki/certificate-request.js");
  return (await parseCertificateRequest(pem)).organizations;
}
