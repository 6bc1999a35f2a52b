import type { PersistentVolume, PersistentVolumeClaim } from "../../gen/types.js";
import { mapField, withDefaults, withField, withZeroDefaults } from "../defaulting.js";
import type { Loose } from "../loose.js";
import { defaultSharedSources } from "./volume-defaults.js";

export function defaultClaim(claim: Loose<PersistentVolumeClaim>): Loose<PersistentVolumeClaim> {
  const result = mapField(claim, "spec", (spec) => withDefaults(spec, { volumeMode: "Filesystem" }));
  return withField(result, "status", withZeroDefaults(result.status ?? {}, { phase: "Pending" }));
}

export function defaultVolumeObject(volume: Loose<PersistentVolume>): Loose<PersistentVolume> {
  const result = mapField(volume, "spec", (given) => {
    const spec = withZeroDefaults(given, { persistentVolumeReclaimPolicy: "Retain" });
    return defaultSharedSources(withDefaults(spec, { volumeMode: "Filesystem" }));
  });
  return withField(result, "status", withZeroDefaults(result.status ?? {}, { phase: "Pending" }));
}
