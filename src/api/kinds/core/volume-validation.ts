import { duplicate, forbidden, invalid, notSupported, required } from "../../field-error.js";
import type {
  ConfigMapProjection,
  DownwardAPIVolumeFile,
  KeyToPath,
  ProjectedVolumeSource,
  Volume,
  VolumeProjection,
} from "../../gen/types.js";
import { tryParseQuantity } from "../../quantity.js";
import { checkEnum, checkLabel, checkRequired, checkSubdomain, type Errors } from "../checks.js";
import { checkLabelSelector } from "../label-selector.js";
import type { Loose } from "../loose.js";
import { checkClaimSpec } from "./claim-spec-validation.js";
import { checkFieldRef, checkResourceFieldRef, volumeFields } from "./env-validation.js";

const fileModeMessage = "must be a number between 0 and 0777 (octal), both inclusive";
const hostPathTypes = [
  "",
  "BlockDevice",
  "CharDevice",
  "Directory",
  "DirectoryOrCreate",
  "File",
  "FileOrCreate",
  "Socket",
];

/** What each kind of source needs beside being the only one. Those that are missing need nothing. */
const requiredFields: { readonly [source: string]: readonly string[] } = {
  awsElasticBlockStore: ["volumeID"],
  azureDisk: ["diskName", "diskURI"],
  azureFile: ["secretName", "shareName"],
  cephfs: ["monitors"],
  cinder: ["volumeID"],
  flexVolume: ["driver"],
  gcePersistentDisk: ["pdName"],
  gitRepo: ["repository"],
  glusterfs: ["endpoints", "path"],
  iscsi: ["targetPortal", "iqn"],
  photonPersistentDisk: ["pdID"],
  portworxVolume: ["volumeID"],
  quobyte: ["registry", "volume"],
  rbd: ["monitors", "image"],
  scaleIO: ["gateway", "system", "volumeName"],
  vsphereVolume: ["volumePath"],
};

export function checkVolumes(
  errors: Errors,
  path: string,
  volumes: readonly Loose<Volume>[],
): ReadonlyMap<string, Loose<Volume>> {
  const byName = new Map<string, Loose<Volume>>();
  volumes.forEach((volume, index) => {
    const at = `${path}[${index}]`;
    if (checkRequired(errors, `${at}.name`, volume.name)) {
      checkLabel(errors, `${at}.name`, volume.name);
      if (byName.has(volume.name)) errors.push(duplicate(`${at}.name`, volume.name));
      byName.set(volume.name, volume);
    }
    checkSources(errors, at, volume);
  });
  return byName;
}

function checkSources(errors: Errors, path: string, volume: Loose<Volume>): void {
  let found = false;
  for (const [source, value] of Object.entries(volume)) {
    if (source === "name" || value === undefined) continue;
    if (found) errors.push(forbidden(`${path}.${source}`, "may not specify more than 1 volume type"));
    else checkSource(errors, `${path}.${source}`, source, volume);
    found = true;
  }
  if (!found) errors.push(required(path, "must specify a volume type"));
}

function checkSource(errors: Errors, path: string, source: string, volume: Loose<Volume>): void {
  checkSharedSource(errors, path, source, volume);
  switch (source) {
    case "emptyDir": {
      const limit = volume.emptyDir?.sizeLimit;
      if (limit !== undefined && (tryParseQuantity(limit)?.sign ?? -1) < 0) {
        errors.push(forbidden(`${path}.sizeLimit`, "SizeLimit field must be a valid resource quantity"));
      }
      return;
    }
    case "secret":
      checkRequired(errors, `${path}.secretName`, volume.secret?.secretName);
      checkMode(errors, `${path}.defaultMode`, volume.secret?.defaultMode);
      checkItems(errors, `${path}.items`, volume.secret?.items ?? []);
      return;
    case "configMap":
      checkRequired(errors, `${path}.name`, volume.configMap?.name);
      checkMode(errors, `${path}.defaultMode`, volume.configMap?.defaultMode);
      checkItems(errors, `${path}.items`, volume.configMap?.items ?? []);
      return;
    case "downwardAPI":
      checkMode(errors, `${path}.defaultMode`, volume.downwardAPI?.defaultMode);
      checkDownwardItems(errors, path, volume.downwardAPI?.items ?? []);
      return;
    case "projected":
      checkProjected(errors, path, volume.projected ?? {});
      return;
    case "persistentVolumeClaim":
      checkRequired(errors, `${path}.claimName`, volume.persistentVolumeClaim?.claimName);
      return;
    case "csi":
      if (checkRequired(errors, `${path}.driver`, volume.csi?.driver)) checkDriverName(errors, path, volume.csi.driver);
      return;
    case "ephemeral": {
      const template = volume.ephemeral?.volumeClaimTemplate;
      if (template === undefined) errors.push(required(`${path}.volumeClaimTemplate`));
      else checkClaimSpec(errors, `${path}.volumeClaimTemplate.spec`, template.spec ?? {});
      return;
    }
    case "image":
      checkRequired(errors, `${path}.reference`, volume.image?.reference);
      checkEnum(errors, `${path}.pullPolicy`, volume.image?.pullPolicy, ["Always", "IfNotPresent", "Never"]);
  }
}

function checkDriverName(errors: Errors, path: string, driver: string): void {
  if (driver.length > 63) {
    errors.push({
      path: `${path}.driver`,
      reason: "FieldValueTooLong",
      message: "Too long: may not be more than 63 bytes",
    });
  }
  checkSubdomain(errors, `${path}.driver`, driver.toLowerCase());
}

type SharedVolume = Pick<Loose<Volume>, "hostPath" | "nfs" | "iscsi" | "rbd"> & object;

/** The sources that PersistentVolumes have too. */
export function checkSharedSource(errors: Errors, path: string, source: string, volume: SharedVolume): void {
  const value: unknown = Reflect.get(volume, source);
  const fields = Object.hasOwn(requiredFields, source) ? (requiredFields[source] ?? []) : [];
  for (const field of fields) {
    const given: unknown = typeof value === "object" && value !== null ? Reflect.get(value, field) : undefined;
    if (given === undefined || given === "" || (Array.isArray(given) && given.length === 0)) {
      errors.push(required(`${path}.${field}`));
    }
  }
  if (source === "hostPath") {
    const { hostPath } = volume;
    if (checkRequired(errors, `${path}.path`, hostPath?.path))
      checkNoBacksteps(errors, `${path}.path`, hostPath?.path ?? "");
    const type = hostPath?.type ?? "";
    if (!hostPathTypes.includes(type)) errors.push(notSupported(`${path}.type`, type, hostPathTypes));
  }
  if (source === "nfs") {
    checkRequired(errors, `${path}.server`, volume.nfs?.server);
    if (checkRequired(errors, `${path}.path`, volume.nfs?.path) && !volume.nfs?.path?.startsWith("/")) {
      errors.push(invalid(`${path}.path`, volume.nfs?.path, "must be an absolute path"));
    }
  }
}

function checkProjected(errors: Errors, path: string, projected: Loose<ProjectedVolumeSource>): void {
  checkMode(errors, `${path}.defaultMode`, projected.defaultMode);
  const taken = new Set<string>();
  projected.sources?.forEach((source, index) => {
    const at = `${path}.sources[${index}]`;
    const found = Object.values(source).filter((value) => value !== undefined).length;
    if (found > 1) errors.push(forbidden(at, "may not specify more than 1 volume type per source"));
    if (found === 0) errors.push(required(at, "must specify a volume type"));
    checkProjection(errors, at, source);
    for (const file of pathsOf(source)) {
      if (taken.has(file)) errors.push(invalid(path, file, "conflicting duplicate paths"));
      taken.add(file);
    }
  });
}

function checkProjection(errors: Errors, path: string, source: Loose<VolumeProjection>): void {
  for (const kind of ["secret", "configMap"] as const) {
    const projection: Loose<ConfigMapProjection> | undefined = source[kind];
    if (projection === undefined) continue;
    checkRequired(errors, `${path}.${kind}.name`, projection.name);
    checkItems(errors, `${path}.${kind}.items`, projection.items ?? []);
  }
  if (source.downwardAPI !== undefined)
    checkDownwardItems(errors, `${path}.downwardAPI`, source.downwardAPI.items ?? []);
  const token = source.serviceAccountToken;
  if (token !== undefined) {
    const at = `${path}.serviceAccountToken`;
    const seconds = token.expirationSeconds ?? 3600;
    if (seconds < 600) {
      errors.push(invalid(`${at}.expirationSeconds`, seconds, "may not specify a duration less than 10 minutes"));
    }
    if (seconds > 2 ** 32) {
      errors.push(invalid(`${at}.expirationSeconds`, seconds, "may not specify a duration larger than 2^32 seconds"));
    }
    if (checkRequired(errors, `${at}.path`, token.path)) checkLocalFile(errors, `${at}.path`, token.path);
  }
  const bundle = source.clusterTrustBundle;
  if (bundle === undefined) return;
  const at = `${path}.clusterTrustBundle`;
  if (bundle.name !== undefined && bundle.signerName !== undefined) {
    errors.push(invalid(at, bundle, "only one of name and signerName may be used"));
  } else if (bundle.name === undefined && bundle.signerName === undefined) {
    errors.push(required(at, "either name or signerName must be specified"));
  }
  checkLabelSelector(errors, `${at}.labelSelector`, bundle.labelSelector);
  if (checkRequired(errors, `${at}.path`, bundle.path)) checkLocalFile(errors, `${at}.path`, bundle.path);
}

function pathsOf(source: Loose<VolumeProjection>): readonly string[] {
  const paths = [
    ...(source.secret?.items ?? []),
    ...(source.configMap?.items ?? []),
    ...(source.downwardAPI?.items ?? []),
    source.serviceAccountToken,
    source.clusterTrustBundle,
  ].map((item) => item?.path ?? "");
  return paths.filter((path) => path !== "");
}

function checkItems(errors: Errors, path: string, items: readonly Loose<KeyToPath>[]): void {
  items.forEach((item, index) => {
    const at = `${path}[${index}]`;
    checkRequired(errors, `${at}.key`, item.key);
    if (checkRequired(errors, `${at}.path`, item.path)) checkLocalFile(errors, `${at}.path`, item.path);
    checkMode(errors, `${at}.mode`, item.mode);
  });
}

function checkDownwardItems(errors: Errors, path: string, items: readonly Loose<DownwardAPIVolumeFile>[]): void {
  items.forEach((item) => {
    // Upstream does not say which item it is.
    if (checkRequired(errors, `${path}.path`, item.path)) checkLocalFile(errors, `${path}.path`, item.path);
    if (item.fieldRef !== undefined) {
      checkFieldRef(errors, `${path}.fieldRef`, item.fieldRef, volumeFields, ["annotations", "labels"]);
      if (item.resourceFieldRef !== undefined) {
        errors.push(invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"));
      }
    } else if (item.resourceFieldRef !== undefined) {
      checkResourceFieldRef(errors, `${path}.resourceFieldRef`, item.resourceFieldRef, true);
    } else {
      errors.push(required(path, "one of fieldRef and resourceFieldRef is required"));
    }
    checkMode(errors, `${path}.mode`, item.mode);
  });
}

function checkMode(errors: Errors, path: string, mode: number | undefined): void {
  if (mode !== undefined && (mode < 0 || mode > 0o777)) errors.push(invalid(path, mode, fileModeMessage));
}

export function checkNoBacksteps(errors: Errors, path: string, value: string): void {
  if (value.split("/").includes("..")) errors.push(invalid(path, value, "must not contain '..'"));
}

/** A path below the volume. */
export function checkDescendingPath(errors: Errors, path: string, value: string): void {
  if (value.startsWith("/")) errors.push(invalid(path, value, "must be a relative path"));
  checkNoBacksteps(errors, path, value);
}

/** As checkDescendingPath, and not a name that the volume's own machinery uses. */
function checkLocalFile(errors: Errors, path: string, value: string): void {
  checkDescendingPath(errors, path, value);
  if (value.startsWith("..") && !value.startsWith("../")) errors.push(invalid(path, value, "must not start with '..'"));
}
