import { type ReplicationController, replicationControllers, selectorFromSet } from "../../api/index.js";
import type { Controller } from "../controller.js";
import { replicaController } from "../replicaset/replica-controller.js";

export const replicationControllerController: Controller = replicaController<ReplicationController>({
  name: "replicationcontroller-controller",
  account: "replication-controller",
  aliases: ["replicationcontroller"],
  eventSource: "replication-controller",
  resource: replicationControllers,
  countsTerminating: false,
  selectorOf: (object) => selectorFromSet(object.spec?.selector),
  specOf: ({ spec }) => ({
    replicas: spec?.replicas ?? 1,
    minReadySeconds: spec?.minReadySeconds ?? 0,
    template: spec?.template ?? {},
  }),
});
