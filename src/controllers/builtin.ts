import { attachDetachController } from "./attachdetach/attachdetach.js";
import { bootstrapSigner, tokenCleaner } from "./bootstrap/bootstrap.js";
import { certificateApprovingController } from "./certificates/approving.js";
import { certificateCleanerController } from "./certificates/cleaner.js";
import type { CertificateSigner } from "./certificates/signer.js";
import { certificateSigningController } from "./certificates/signing.js";
import { clusterRoleAggregationController } from "./clusterroleaggregation/clusterroleaggregation.js";
import type { Controller } from "./controller.js";
import { cronJobController } from "./cronjob/cronjob.js";
import { daemonSetController } from "./daemonset/daemonset.js";
import { deploymentController } from "./deployment/deployment.js";
import { disruptionController } from "./disruption/disruption.js";
import { endpointsController } from "./endpoints/endpoints.js";
import { endpointSliceController } from "./endpointslice/endpointslice.js";
import { endpointSliceMirroringController } from "./endpointslicemirroring/endpointslicemirroring.js";
import { ephemeralVolumeController } from "./ephemeralvolume/ephemeralvolume.js";
import { garbageCollector } from "./garbagecollector/garbagecollector.js";
import { horizontalPodAutoscalerController } from "./horizontalpodautoscaler/horizontalpodautoscaler.js";
import { jobController, ttlAfterFinishedController } from "./job/job.js";
import { type ControllerManager, createManager, type ManagerOptions } from "./manager.js";
import { namespaceController } from "./namespace/namespace.js";
import { type NodeIpamOptions, nodeIpamController } from "./nodeipam/nodeipam.js";
import { type NodeLifecycleOptions, nodeLifecycleController } from "./nodelifecycle/nodelifecycle.js";
import { persistentVolumeBinder } from "./persistentvolume/persistentvolume.js";
import { podGarbageCollector } from "./podgc/podgc.js";
import { replicaSetController } from "./replicaset/replicaset.js";
import { replicationControllerController } from "./replicationcontroller/replicationcontroller.js";
import { resourceClaimController } from "./resourceclaim/resourceclaim.js";
import { type QuotaEvaluator, resourceQuotaController } from "./resourcequota/resourcequota.js";
import { rootCaPublisher, serviceAccountController } from "./serviceaccount/serviceaccount.js";
import { serviceAccountTokenController, type TokenSecretOptions } from "./serviceaccounttoken/serviceaccounttoken.js";
import { serviceCidrController } from "./servicecidr/servicecidr.js";
import { statefulSetController } from "./statefulset/statefulset.js";
import { taintEvictionController } from "./tainteviction/tainteviction.js";
import { ttlController } from "./ttl/ttl.js";
import { validatingAdmissionPolicyStatusController } from "./validatingadmissionpolicystatus/validatingadmissionpolicystatus.js";
import { volumeExpandController } from "./volumeexpand/volumeexpand.js";
import {
  pvcProtectionController,
  pvProtectionController,
  vacProtectionController,
} from "./volumeprotection/volumeprotection.js";

export interface BuiltinOptions {
  /** PEM of the authorities that signed the API server's certificate, put into every namespace. Absent: not published. */
  readonly rootCa?: string | undefined;
  readonly nodeLifecycle?: NodeLifecycleOptions | undefined;
  /** How objects count against quotas: the API server's own. Absent: quotas are not recounted. */
  readonly quota?: QuotaEvaluator | undefined;
  /** Absent: nodes get no part of the pods' network from here. */
  readonly nodeIpam?: NodeIpamOptions | undefined;
  /** Signs the tokens of Secrets that ask for one. Absent: they stay without. */
  readonly signToken?: TokenSecretOptions["sign"] | undefined;
  /** Holds the key by which requests for certificates are signed. Absent: they wait for somebody else. */
  readonly certificates?: CertificateSigner | undefined;
}

/** All of upstream's controllers that there are here, under their names. */
export function builtinControllers(options: BuiltinOptions = {}): readonly Controller[] {
  const { rootCa, nodeLifecycle, nodeIpam, quota, signToken, certificates } = options;
  return [
    deploymentController,
    replicaSetController,
    replicationControllerController,
    daemonSetController,
    statefulSetController,
    jobController,
    cronJobController,
    ttlAfterFinishedController,
    horizontalPodAutoscalerController,
    disruptionController,
    endpointSliceController,
    endpointsController,
    endpointSliceMirroringController,
    serviceAccountController,
    ...(rootCa === undefined ? [] : [rootCaPublisher(rootCa)]),
    ...(signToken === undefined ? [] : [serviceAccountTokenController({ sign: signToken, rootCa })]),
    ...(certificates === undefined
      ? []
      : [certificateApprovingController(certificates), certificateSigningController(certificates)]),
    certificateCleanerController,
    namespaceController,
    garbageCollector,
    nodeLifecycleController(nodeLifecycle),
    taintEvictionController,
    podGarbageCollector(),
    ttlController,
    persistentVolumeBinder,
    attachDetachController,
    volumeExpandController,
    ephemeralVolumeController,
    resourceClaimController,
    pvcProtectionController,
    pvProtectionController,
    serviceCidrController,
    vacProtectionController,
    clusterRoleAggregationController,
    bootstrapSigner,
    tokenCleaner,
    validatingAdmissionPolicyStatusController,
    ...(quota === undefined ? [] : [resourceQuotaController(quota)]),
    ...(nodeIpam === undefined ? [] : [nodeIpamController(nodeIpam)]),
  ];
}

export interface ControllerManagerOptions extends Omit<ManagerOptions, "controllers" | "select">, BuiltinOptions {
  /** Names as with upstream's `--controllers`: `["*"]`, `["deployment", "replicaset"]`, `["*", "-garbagecollector"]`. Default: `["*"]`. */
  readonly controllers?: readonly string[] | undefined;
  /** Run beside the built-in ones. */
  readonly custom?: readonly Controller[] | undefined;
}

/** The built-in controllers, and further ones, as one part of a control plane. */
export function createControllerManager(options: ControllerManagerOptions): ControllerManager {
  const { controllers: select, custom = [], ...others } = options;
  return createManager({ ...others, select, controllers: [...builtinControllers(options), ...custom] });
}
