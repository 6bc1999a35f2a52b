import type { Controller } from "../controllers/controller.js";
import { deploymentController } from "../controllers/deployment/deployment.js";
import { endpointsController } from "../controllers/endpoints/endpoints.js";
import { endpointSliceController } from "../controllers/endpointslice/endpointslice.js";
import { garbageCollector } from "../controllers/garbagecollector/garbagecollector.js";
import { namespaceController } from "../controllers/namespace/namespace.js";
import { replicaSetController } from "../controllers/replicaset/replicaset.js";
import { replicationControllerController } from "../controllers/replicationcontroller/replicationcontroller.js";
import { rootCaPublisher, serviceAccountController } from "../controllers/serviceaccount/serviceaccount.js";

export function builtinControllers({ caBundle }: { readonly caBundle?: string }): readonly Controller[] {
  return [
    deploymentController,
    replicaSetController,
    replicationControllerController,
    endpointsController,
    endpointSliceController,
    garbageCollector,
    namespaceController,
    serviceAccountController,
    ...(caBundle === undefined ? [] : [rootCaPublisher(caBundle)]),
  ];
}
