import type { Controller } from "./controller.js";
import { deploymentController } from "./deployment/deployment.js";
import { endpointsController } from "./endpoints/endpoints.js";
import { endpointSliceController } from "./endpointslice/endpointslice.js";
import { garbageCollector } from "./garbagecollector/garbagecollector.js";
import { type ControllerManager, createManager, type ManagerOptions } from "./manager.js";
import { namespaceController } from "./namespace/namespace.js";
import { type NodeLifecycleOptions, nodeLifecycleController } from "./nodelifecycle/nodelifecycle.js";
import { podGarbageCollector } from "./podgc/podgc.js";
import { replicaSetController } from "./replicaset/replicaset.js";
import { replicationControllerController } from "./replicationcontroller/replicationcontroller.js";
import { rootCaPublisher, serviceAccountController } from "./serviceaccount/serviceaccount.js";
import { taintEvictionController } from "./tainteviction/tainteviction.js";

export interface BuiltinOptions {
  /** PEM of the authorities that signed the API server's certificate, put into every namespace. Absent: not published. */
  readonly rootCa?: string | undefined;
  readonly nodeLifecycle?: NodeLifecycleOptions | undefined;
}

/** All of upstream's controllers that there are here, under their names. */
export function builtinControllers(options: BuiltinOptions = {}): readonly Controller[] {
  const { rootCa, nodeLifecycle } = options;
  return [
    deploymentController,
    replicaSetController,
    replicationControllerController,
    endpointSliceController,
    endpointsController,
    serviceAccountController,
    ...(rootCa === undefined ? [] : [rootCaPublisher(rootCa)]),
    namespaceController,
    garbageCollector,
    nodeLifecycleController(nodeLifecycle),
    taintEvictionController,
    podGarbageCollector(),
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
