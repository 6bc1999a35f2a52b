// For those who write controllers of another shape, or put a manager together themselves.
export type { BuiltinOptions, ControllerManagerOptions } from "./builtin.js";
export { builtinControllers, createControllerManager } from "./builtin.js";
export type { CertificateSigner, RequestedCertificate } from "./certificates/signer.js";
export type { Controller, ControllerContext, ControllerMetrics, RunningController } from "./controller.js";
export type {
  ControllerDefinition,
  Reconcile,
  ReconcileContext,
  ReconcileResult,
  StatefulDefinition,
  Watch,
} from "./define-controller.js";
export { defineController, defineStatefulController, watching } from "./define-controller.js";
export type { ControllerManager, LeaderElectionOptions, ManagerOptions } from "./manager.js";
export { createManager, selectControllers } from "./manager.js";
export type { NodeIpamOptions } from "./nodeipam/nodeipam.js";
export type { NodeLifecycleOptions } from "./nodelifecycle/nodelifecycle.js";
export type { QuotaEvaluator } from "./resourcequota/resourcequota.js";
export type { TokenSecretOptions } from "./serviceaccounttoken/serviceaccounttoken.js";
