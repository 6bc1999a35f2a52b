import { type ReplicaSet, replicaSets, selectorFromLabelSelector } from "../../api/index.js";
import type { Controller } from "../controller.js";
import { replicaController } from "./replica-controller.js";

export const replicaSetController: Controller = replicaController<ReplicaSet>({
  name: "replicaset-controller",
  aliases: ["replicaset"],
  eventSource: "replicaset-controller",
  resource: replicaSets,
  countsTerminating: true,
  selectorOf: (object) => selectorFromLabelSelector(object.spec?.selector),
  specOf: ({ spec }) => ({
    replicas: spec?.replicas ?? 1,
    minReadySeconds: spec?.minReadySeconds ?? 0,
    template: spec?.template ?? {},
  }),
});
