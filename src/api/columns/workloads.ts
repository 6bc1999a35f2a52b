import type { PrinterColumn } from "../description.js";
import type {
  Container,
  ControllerRevision,
  DaemonSet,
  Deployment,
  LabelSelector,
  PodTemplate,
  PodTemplateSpec,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from "../gen/types.js";
import { parseApiVersion } from "../resource-type.js";
import { ageColumn, type ColumnOf, columns, integer, labelsText, name, selectorText, text, wide } from "./column.js";

function containersOf(template: PodTemplateSpec | undefined): readonly Container[] {
  return template?.spec?.containers ?? [];
}

/** Names and images of the containers in a template. */
export function templateColumns<T>(templateOf: (object: T) => PodTemplateSpec | undefined): readonly ColumnOf<T>[] {
  return [
    wide("Containers", "The containers of the pod template.", (object) =>
      containersOf(templateOf(object))
        .map((container) => container.name)
        .join(","),
    ),
    wide("Images", "The images of the pod template.", (object) =>
      containersOf(templateOf(object))
        .map((container) => container.image ?? "")
        .join(","),
    ),
  ];
}

export function selectorColumn<T>(selectorOf: (object: T) => LabelSelector | undefined): ColumnOf<T> {
  return wide("Selector", "The labels of the pods that belong to it.", (object) => selectorText(selectorOf(object)));
}

export const replicaSetColumns: readonly PrinterColumn[] = columns<ReplicaSet>(
  name,
  integer("Desired", "How many pods there should be.", (set) => set.spec?.replicas ?? 0),
  integer("Current", "How many pods there are.", (set) => set.status?.replicas ?? 0),
  integer("Ready", "How many pods are ready.", (set) => set.status?.readyReplicas ?? 0),
  ageColumn,
  ...templateColumns<ReplicaSet>((set) => set.spec?.template),
  selectorColumn<ReplicaSet>((set) => set.spec?.selector),
);

export const replicationControllerColumns: readonly PrinterColumn[] = columns<ReplicationController>(
  name,
  integer("Desired", "How many pods there should be.", (controller) => controller.spec?.replicas ?? 0),
  integer("Current", "How many pods there are.", (controller) => controller.status?.replicas ?? 0),
  integer("Ready", "How many pods are ready.", (controller) => controller.status?.readyReplicas ?? 0),
  ageColumn,
  ...templateColumns<ReplicationController>((controller) => controller.spec?.template),
  wide("Selector", "The labels of the pods that belong to it.", (controller) => labelsText(controller.spec?.selector)),
);

export const daemonSetColumns: readonly PrinterColumn[] = columns<DaemonSet>(
  name,
  integer("Desired", "How many nodes should run the pod.", (set) => set.status?.desiredNumberScheduled ?? 0),
  integer("Current", "How many of them run it.", (set) => set.status?.currentNumberScheduled ?? 0),
  integer("Ready", "On how many nodes it is ready.", (set) => set.status?.numberReady ?? 0),
  integer("Up-to-date", "How many nodes run the newest template.", (set) => set.status?.updatedNumberScheduled ?? 0),
  integer("Available", "On how many nodes it is available.", (set) => set.status?.numberAvailable ?? 0),
  text("Node Selector", "The labels of the nodes that should run the pod.", (set) =>
    labelsText(set.spec?.template.spec?.nodeSelector),
  ),
  ageColumn,
  ...templateColumns<DaemonSet>((set) => set.spec?.template),
  selectorColumn<DaemonSet>((set) => set.spec?.selector),
);

export const deploymentColumns: readonly PrinterColumn[] = columns<Deployment>(
  name,
  text(
    "Ready",
    "How many of the wanted pods are ready.",
    (deployment) => `${deployment.status?.readyReplicas ?? 0}/${deployment.spec?.replicas ?? 0}`,
  ),
  text(
    "Up-to-date",
    "How many pods have the newest template.",
    (deployment) => deployment.status?.updatedReplicas ?? 0,
  ),
  text("Available", "How many pods are available.", (deployment) => deployment.status?.availableReplicas ?? 0),
  ageColumn,
  ...templateColumns<Deployment>((deployment) => deployment.spec?.template),
  selectorColumn<Deployment>((deployment) => deployment.spec?.selector),
);

export const statefulSetColumns: readonly PrinterColumn[] = columns<StatefulSet>(
  name,
  text(
    "Ready",
    "How many of the wanted pods are ready.",
    (set) => `${set.status?.readyReplicas ?? 0}/${set.spec?.replicas ?? 0}`,
  ),
  ageColumn,
  ...templateColumns<StatefulSet>((set) => set.spec?.template),
);

export const podTemplateColumns: readonly PrinterColumn[] = columns<PodTemplate>(
  name,
  text("Containers", "The containers of the template.", (template) =>
    containersOf(template.template)
      .map((container) => container.name)
      .join(","),
  ),
  text("Images", "The images of the template.", (template) =>
    containersOf(template.template)
      .map((container) => container.image ?? "")
      .join(","),
  ),
  text("Pod Labels", "The labels that pods of the template get.", (template) =>
    labelsText(template.template?.metadata?.labels),
  ),
);

export const controllerRevisionColumns: readonly PrinterColumn[] = columns<ControllerRevision>(
  name,
  text("Controller", "What the revision is of.", (revision) => {
    const owner = revision.metadata.ownerReferences?.find((reference) => reference.controller === true);
    if (owner === undefined) return "<none>";
    const { group } = parseApiVersion(owner.apiVersion);
    return `${(group === "" ? owner.kind : `${owner.kind}.${group}`).toLowerCase()}/${owner.name}`;
  }),
  text("Revision", "The number of the revision.", (revision) => revision.revision),
  ageColumn,
);
