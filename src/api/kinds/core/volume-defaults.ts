import type {
  DownwardAPIVolumeFile,
  PersistentVolumeClaimTemplate,
  ProjectedVolumeSource,
  Volume,
  VolumeProjection,
} from "../../gen/types.js";
import { mapField, mapItems, withDefaults, withZeroDefaults } from "../defaulting.js";
import type { Loose } from "../loose.js";
import { defaultPullPolicy } from "./image-reference.js";

const defaultMode = 0o644;
const emptyDir = Object.freeze({});

/** What the sources of a pod's volume and of a PersistentVolume have in common. */
interface SharedSources {
  readonly hostPath?: { readonly type?: string | undefined } | undefined;
  readonly iscsi?: { readonly iscsiInterface?: string | undefined } | undefined;
  readonly rbd?:
    | { readonly pool?: string | undefined; readonly user?: string | undefined; readonly keyring?: string | undefined }
    | undefined;
  readonly azureDisk?:
    | {
        readonly cachingMode?: string | undefined;
        readonly kind?: string | undefined;
        readonly fsType?: string | undefined;
        readonly readOnly?: boolean | undefined;
      }
    | undefined;
  readonly scaleIO?: { readonly storageMode?: string | undefined; readonly fsType?: string | undefined } | undefined;
}

export function defaultVolume(volume: Loose<Volume>): Loose<Volume> {
  // One field is the name, each other one a source.
  let sources = 0;
  for (const key in volume) if (key !== "name" && Reflect.get(volume, key) !== undefined) sources++;
  if (sources === 0) return { ...volume, emptyDir };
  let result = mapField(volume, "secret", (source) => withDefaults(source, { defaultMode }));
  result = mapField(result, "configMap", (source) => withDefaults(source, { defaultMode }));
  result = mapField(result, "downwardAPI", (source) =>
    withDefaults(mapField(source, "items", defaultDownwardItems), { defaultMode }),
  );
  result = mapField(result, "projected", defaultProjected);
  result = mapField(result, "ephemeral", (source) => mapField(source, "volumeClaimTemplate", defaultClaimTemplate));
  result = mapField(result, "image", (source) =>
    withZeroDefaults(source, { pullPolicy: defaultPullPolicy(source.reference) }),
  );
  return defaultSharedSources(result);
}

export function defaultSharedSources<T extends SharedSources>(volume: T): T {
  let result: SharedSources = volume;
  result = mapField(result, "hostPath", (source) => withDefaults(source, { type: "" }));
  result = mapField(result, "iscsi", (source) => withZeroDefaults(source, { iscsiInterface: "default" }));
  result = mapField(result, "rbd", (source) =>
    withZeroDefaults(source, { pool: "rbd", user: "admin", keyring: "/etc/ceph/keyring" }),
  );
  result = mapField(result, "azureDisk", (source) =>
    withDefaults(source, { cachingMode: "ReadWrite", kind: "Shared", fsType: "ext4", readOnly: false }),
  );
  result = mapField(result, "scaleIO", (source) =>
    withZeroDefaults(source, { storageMode: "ThinProvisioned", fsType: "xfs" }),
  );
  return result === volume ? volume : { ...volume, ...result };
}

function defaultProjected(source: Loose<ProjectedVolumeSource>): Loose<ProjectedVolumeSource> {
  const result = withDefaults(source, { defaultMode });
  return mapField(result, "sources", (sources) => mapItems(sources, defaultProjection));
}

function defaultProjection(projection: Loose<VolumeProjection>): Loose<VolumeProjection> {
  let result = mapField(projection, "serviceAccountToken", (token) => withDefaults(token, { expirationSeconds: 3600 }));
  result = mapField(result, "podCertificate", (source) => withDefaults(source, { maxExpirationSeconds: 86400 }));
  return mapField(result, "downwardAPI", (source) => mapField(source, "items", defaultDownwardItems));
}

function defaultDownwardItems(items: readonly Loose<DownwardAPIVolumeFile>[]): readonly Loose<DownwardAPIVolumeFile>[] {
  return mapItems(items, (item) =>
    mapField(item, "fieldRef", (field) => withZeroDefaults(field, { apiVersion: "v1" })),
  );
}

function defaultClaimTemplate(template: Loose<PersistentVolumeClaimTemplate>): Loose<PersistentVolumeClaimTemplate> {
  return mapField(template, "spec", (spec) => withDefaults(spec, { volumeMode: "Filesystem" }));
}
