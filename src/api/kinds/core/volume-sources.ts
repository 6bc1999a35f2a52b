import { invalid, notSupported, required } from "../../field-error.js";
import type {
  AWSElasticBlockStoreVolumeSource,
  AzureDiskVolumeSource,
  AzureFilePersistentVolumeSource,
  CephFSVolumeSource,
  CinderPersistentVolumeSource,
  FCVolumeSource,
  FlexVolumeSource,
  FlockerVolumeSource,
  GCEPersistentDiskVolumeSource,
  GlusterfsPersistentVolumeSource,
  HostPathVolumeSource,
  ISCSIPersistentVolumeSource,
  NFSVolumeSource,
  PhotonPersistentDiskVolumeSource,
  PortworxVolumeSource,
  QuobyteVolumeSource,
  RBDVolumeSource,
  ScaleIOVolumeSource,
  SecretReference,
  StorageOSVolumeSource,
  VsphereVirtualDiskVolumeSource,
} from "../../gen/types.js";
import { validateRange } from "../../names.js";
import { addInvalid, checkLabel, checkOptionalEnum, checkRequired, type Errors } from "../checks.js";
import { entriesOf, type Loose } from "../loose.js";
import { checkIscsi, type VolumeContext } from "./iscsi-validation.js";
import { checkNoBacksteps } from "./path-validation.js";

/** What is said of a volume that has more than one source. */
export const oneSourceOnly = "may not specify more than 1 volume type";

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

type Check<T> = (errors: Errors, path: string, source: Loose<T>, volume: VolumeContext) => void;

/** The sources that pods and PersistentVolumes have in common, by the name of their field. */
interface SharedSourceChecks {
  readonly hostPath: Check<HostPathVolumeSource>;
  readonly gcePersistentDisk: Check<GCEPersistentDiskVolumeSource>;
  readonly awsElasticBlockStore: Check<AWSElasticBlockStoreVolumeSource>;
  readonly nfs: Check<NFSVolumeSource>;
  readonly iscsi: Check<ISCSIPersistentVolumeSource>;
  readonly glusterfs: Check<GlusterfsPersistentVolumeSource>;
  readonly flocker: Check<FlockerVolumeSource>;
  readonly rbd: Check<RBDVolumeSource>;
  readonly cinder: Check<CinderPersistentVolumeSource>;
  readonly cephfs: Check<CephFSVolumeSource>;
  readonly quobyte: Check<QuobyteVolumeSource>;
  readonly fc: Check<FCVolumeSource>;
  readonly flexVolume: Check<FlexVolumeSource>;
  readonly azureFile: Check<AzureFilePersistentVolumeSource>;
  readonly vsphereVolume: Check<VsphereVirtualDiskVolumeSource>;
  readonly photonPersistentDisk: Check<PhotonPersistentDiskVolumeSource>;
  readonly portworxVolume: Check<PortworxVolumeSource>;
  readonly azureDisk: Check<AzureDiskVolumeSource>;
  readonly storageos: Check<StorageOSVolumeSource>;
  readonly scaleIO: Check<Omit<ScaleIOVolumeSource, "secretRef">>;
}

export const sharedSourceChecks: SharedSourceChecks = {
  hostPath: (errors, path, source) => {
    if (!checkRequired(errors, `${path}.path`, source.path)) return;
    checkNoBacksteps(errors, `${path}.path`, source.path);
    checkOptionalEnum(errors, `${path}.type`, source.type, hostPathTypes);
  },
  gcePersistentDisk: (errors, path, source) => {
    checkRequired(errors, `${path}.pdName`, source.pdName);
    checkPartition(errors, path, source.partition);
  },
  awsElasticBlockStore: (errors, path, source) => {
    checkRequired(errors, `${path}.volumeID`, source.volumeID);
    checkPartition(errors, path, source.partition);
  },
  nfs: (errors, path, source) => {
    checkRequired(errors, `${path}.server`, source.server);
    checkRequired(errors, `${path}.path`, source.path);
    const directory = source.path ?? "";
    if (!directory.startsWith("/")) errors.push(invalid(`${path}.path`, directory, "must be an absolute path"));
  },
  iscsi: checkIscsi,
  glusterfs: (errors, path, source) => {
    checkRequired(errors, `${path}.endpoints`, source.endpoints);
    checkRequired(errors, `${path}.path`, source.path);
    const namespace = source.endpointsNamespace;
    if (namespace === undefined) return;
    const at = `${path}.endpointsNamespace`;
    if (namespace !== "") checkLabel(errors, at, namespace);
    else {
      const why = "if the endpointnamespace is set, it must be a valid namespace name";
      errors.push(invalid(at, namespace, why));
    }
  },
  flocker: (errors, path, source) => {
    const { datasetName = "", datasetUUID = "" } = source;
    if (datasetName === "" && datasetUUID === "") {
      errors.push(required(path, "one of datasetName and datasetUUID is required"));
    }
    if (datasetName !== "" && datasetUUID !== "") {
      errors.push(invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously"));
    }
    if (datasetName.includes("/")) {
      errors.push(invalid(`${path}.datasetName`, datasetName, "must not contain '/'"));
    }
  },
  rbd: (errors, path, source) => {
    checkMonitors(errors, path, source.monitors);
    checkRequired(errors, `${path}.image`, source.image);
  },
  cinder: (errors, path, source, volume) => {
    checkRequired(errors, `${path}.volumeID`, source.volumeID);
    checkSecret(errors, `${path}.secretRef`, source.secretRef, volume);
  },
  cephfs: (errors, path, source) => {
    checkMonitors(errors, path, source.monitors);
  },
  quobyte: (errors, path, source) => {
    checkRegistry(errors, path, source);
    checkRequired(errors, `${path}.volume`, source.volume);
  },
  fc: (errors, path, source) => {
    const { lun, targetWWNs = [], wwids = [] } = source;
    const at = `${path}.targetWWNs`;
    if (targetWWNs.length === 0 && wwids.length === 0) {
      errors.push(required(at, "must specify either targetWWNs or wwids, but not both"));
    }
    if (targetWWNs.length > 0 && wwids.length > 0) {
      errors.push(invalid(at, targetWWNs, "targetWWNs and wwids can not be specified simultaneously"));
    }
    if (targetWWNs.length === 0) return;
    if (lun === undefined) errors.push(required(`${path}.lun`, "lun is required if targetWWNs is specified"));
    else addInvalid(errors, `${path}.lun`, lun, validateRange(lun, 0, 255));
  },
  flexVolume: (errors, path, source) => {
    checkRequired(errors, `${path}.driver`, source.driver);
    for (const [key] of entriesOf(source.options)) {
      const domain = `.${key.split("/", 1)[0]?.toLowerCase()}`;
      if (!domain.endsWith(".kubernetes.io") && !domain.endsWith(".k8s.io")) continue;
      errors.push(invalid(`${path}.options[${key}]`, key, "kubernetes.io and k8s.io namespaces are reserved"));
    }
  },
  azureFile: (errors, path, source) => {
    checkRequired(errors, `${path}.secretName`, source.secretName);
    checkRequired(errors, `${path}.shareName`, source.shareName);
    if (source.secretNamespace === "") errors.push(required(`${path}.secretNamespace`));
  },
  vsphereVolume: (errors, path, source) => {
    checkRequired(errors, `${path}.volumePath`, source.volumePath);
  },
  photonPersistentDisk: (errors, path, source) => {
    checkRequired(errors, `${path}.pdID`, source.pdID);
  },
  portworxVolume: (errors, path, source) => {
    checkRequired(errors, `${path}.volumeID`, source.volumeID);
  },
  azureDisk: checkAzureDisk,
  storageos: (errors, path, source, volume) => {
    const { volumeName, volumeNamespace } = source;
    if (checkRequired(errors, `${path}.volumeName`, volumeName)) checkLabel(errors, `${path}.volumeName`, volumeName);
    if (volumeNamespace) checkLabel(errors, `${path}.volumeNamespace`, volumeNamespace);
    checkSecret(errors, `${path}.secretRef`, source.secretRef, volume);
  },
  scaleIO: (errors, path, source) => {
    checkRequired(errors, `${path}.gateway`, source.gateway);
    checkRequired(errors, `${path}.system`, source.system);
    checkRequired(errors, `${path}.volumeName`, source.volumeName);
  },
};

/** Upstream's messages call some fields otherwise than the API does. */
export const sourcePathNames: ReadonlyMap<string, string> = new Map([["gcePersistentDisk", "persistentDisk"]]);
export const surplusPathNames: ReadonlyMap<string, string> = new Map([
  ["cephfs", "cephFS"],
  ["downwardAPI", "downwarAPI"],
]);

// The message says 1 where the check allows 0: both are upstream's.
function checkPartition(errors: Errors, path: string, partition = 0): void {
  if (partition >= 0 && partition <= 255) return;
  errors.push(invalid(`${path}.partition`, partition, "must be between 1 and 255, inclusive"));
}

function checkMonitors(errors: Errors, path: string, monitors: readonly string[] = []): void {
  if (monitors.length === 0) errors.push(required(`${path}.monitors`));
}

function checkSecret(
  errors: Errors,
  path: string,
  secret: Loose<SecretReference> | undefined,
  volume: VolumeContext,
): void {
  if (secret === undefined) return;
  checkRequired(errors, `${path}.name`, secret.name);
  if (volume.persistent) checkRequired(errors, `${path}.namespace`, secret.namespace);
}

function checkRegistry(errors: Errors, path: string, source: Loose<QuobyteVolumeSource>): void {
  const { registry = "", tenant = "" } = source;
  const why = "must be a host:port pair or multiple pairs separated by commas";
  if (registry === "") errors.push(required(`${path}.registry`, why));
  else if (tenant.length >= 65) {
    errors.push(required(`${path}.tenant`, "must be a UUID and may not exceed a length of 64 characters"));
  } else {
    for (const pair of registry.split(",")) {
      if (!/^([^:[\]]*|\[[^[\]]*\]):[^:]*$/.test(pair)) errors.push(invalid(`${path}.registry`, registry, why));
    }
  }
}

const cachingModes = ["None", "ReadOnly", "ReadWrite"];
const diskKinds = ["Dedicated", "Managed", "Shared"];
const managedDisk = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}";
const blobDisk = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd";

function checkAzureDisk(errors: Errors, path: string, source: Loose<AzureDiskVolumeSource>): void {
  const { cachingMode, kind, diskURI = "" } = source;
  checkRequired(errors, `${path}.diskName`, source.diskName);
  checkRequired(errors, `${path}.diskURI`, diskURI);
  checkOptionalEnum(errors, `${path}.cachingMode`, cachingMode, cachingModes);
  checkOptionalEnum(errors, `${path}.kind`, kind, diskKinds);
  if (kind === "Managed" && !diskURI.startsWith("/subscriptions/")) {
    errors.push(notSupported(`${path}.diskURI`, diskURI, [managedDisk]));
  }
  if (kind !== undefined && kind !== "Managed" && !diskURI.startsWith("https://")) {
    errors.push(notSupported(`${path}.diskURI`, diskURI, [blobDisk]));
  }
}
