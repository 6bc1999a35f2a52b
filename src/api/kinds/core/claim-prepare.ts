import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from "../../gen/types.js";
import { mapField, withField } from "../defaulting.js";
import type { Loose } from "../loose.js";

type Spec = Loose<PersistentVolumeClaimSpec>;

/** The field for every sort of source came after the one for claims and snapshots, and both are kept the same. */
export function prepareClaim(
  claim: Loose<PersistentVolumeClaim>,
  old?: Loose<PersistentVolumeClaim>,
): Loose<PersistentVolumeClaim> {
  return mapField(claim, "spec", (spec) => syncSources(withoutOtherSource(spec, old?.spec)));
}

/** What the old field cannot name is dropped from it, as it always was. */
function withoutOtherSource(spec: Spec, old: Spec | undefined): Spec {
  if (spec.dataSource === undefined || spec.dataSourceRef !== undefined || old?.dataSource !== undefined) return spec;
  const { kind, apiGroup = "" } = spec.dataSource;
  const known =
    (kind === "PersistentVolumeClaim" && apiGroup === "") ||
    (kind === "VolumeSnapshot" && apiGroup === "snapshot.storage.k8s.io");
  return known ? spec : withField(spec, "dataSource", undefined);
}

function syncSources(spec: Spec): Spec {
  const { dataSource, dataSourceRef } = spec;
  if (dataSource !== undefined) return dataSourceRef === undefined ? { ...spec, dataSourceRef: dataSource } : spec;
  if (dataSourceRef === undefined || dataSourceRef.namespace) return spec;
  const { namespace: _none, ...source } = dataSourceRef;
  return { ...spec, dataSource: source };
}
