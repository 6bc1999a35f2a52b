import { duplicate, type FieldError, forbidden, invalid, required } from "../../field-error.js";
import type { CSIVolumeSource, EphemeralVolumeSource, ObjectMeta, Volume } from "../../gen/types.js";
import { validateDns1123Subdomain } from "../../names.js";
import { tryParseQuantity } from "../../quantity.js";
import { addInvalid, checkEnum, checkLabel, checkLabels, checkRequired, type Errors } from "../checks.js";
import type { Loose } from "../loose.js";
import { checkAnnotations } from "../object-meta.js";
import { checkClaimSpec } from "./claim-spec-validation.js";
import { checkCsiDriverName } from "./csi-validation.js";
import { checkDownwardItems, checkItems, checkMode } from "./file-validation.js";
import type { VolumeContext } from "./iscsi-validation.js";
import { checkDescendingPath } from "./path-validation.js";
import { checkProjected } from "./projected-validation.js";
import { oneSourceOnly, sharedSourceChecks, sourcePathNames, surplusPathNames } from "./volume-sources.js";

/** What has the volumes: a pod, or the template of pods that have no names yet. */
export interface VolumesOwner {
  readonly podName?: string | undefined;
  readonly isPod: boolean;
}

type Source = Exclude<keyof Volume, "name">;
type Checks = {
  readonly [Key in Source]: (
    errors: Errors,
    path: string,
    source: NonNullable<Loose<Volume>[Key]>,
    volume: PodVolumeContext,
  ) => void;
};

/** In upstream's order: of two sources the later one is the surplus. */
const checks: Checks = {
  emptyDir: (errors, path, { sizeLimit }) => {
    if (sizeLimit === undefined || (tryParseQuantity(sizeLimit)?.sign ?? -1) >= 0) return;
    errors.push(forbidden(`${path}.sizeLimit`, "SizeLimit field must be a valid resource quantity"));
  },
  hostPath: sharedSourceChecks.hostPath,
  gitRepo: (errors, path, source) => {
    checkRequired(errors, `${path}.repository`, source.repository);
    checkDescendingPath(errors, `${path}.directory`, source.directory ?? "");
  },
  gcePersistentDisk: sharedSourceChecks.gcePersistentDisk,
  awsElasticBlockStore: sharedSourceChecks.awsElasticBlockStore,
  secret: (errors, path, source) => {
    checkRequired(errors, `${path}.secretName`, source.secretName);
    checkMode(errors, `${path}.defaultMode`, source.defaultMode);
    checkItems(errors, `${path}.items`, source.items ?? []);
  },
  nfs: sharedSourceChecks.nfs,
  iscsi: sharedSourceChecks.iscsi,
  glusterfs: sharedSourceChecks.glusterfs,
  flocker: sharedSourceChecks.flocker,
  persistentVolumeClaim: (errors, path, source) => {
    checkRequired(errors, `${path}.claimName`, source.claimName);
  },
  rbd: sharedSourceChecks.rbd,
  cinder: sharedSourceChecks.cinder,
  cephfs: sharedSourceChecks.cephfs,
  quobyte: sharedSourceChecks.quobyte,
  downwardAPI: (errors, path, source) => {
    checkMode(errors, `${path}.defaultMode`, source.defaultMode);
    checkDownwardItems(errors, path, source.items ?? []);
  },
  fc: sharedSourceChecks.fc,
  flexVolume: sharedSourceChecks.flexVolume,
  configMap: (errors, path, source) => {
    checkRequired(errors, `${path}.name`, source.name);
    checkMode(errors, `${path}.defaultMode`, source.defaultMode);
    checkItems(errors, `${path}.items`, source.items ?? []);
  },
  azureFile: sharedSourceChecks.azureFile,
  vsphereVolume: sharedSourceChecks.vsphereVolume,
  photonPersistentDisk: sharedSourceChecks.photonPersistentDisk,
  portworxVolume: sharedSourceChecks.portworxVolume,
  azureDisk: sharedSourceChecks.azureDisk,
  storageos: sharedSourceChecks.storageos,
  projected: (errors, path, source) => {
    checkMode(errors, `${path}.defaultMode`, source.defaultMode);
    checkProjected(errors, path, source.sources ?? []);
  },
  scaleIO: sharedSourceChecks.scaleIO,
  csi: checkCsiSource,
  ephemeral: checkEphemeral,
  image: (errors, path, source, volume) => {
    if (volume.isPod) checkRequired(errors, `${path}.reference`, source.reference);
    checkEnum(errors, `${path}.pullPolicy`, source.pullPolicy, ["Always", "IfNotPresent", "Never"]);
  },
};

// The keys of a literal are in the order in which they were written.
const sources = Object.keys(checks) as readonly Source[];

/** Checks volumes and gives the good ones by name: what is mounted must be one of these. */
export function checkVolumes(
  errors: Errors,
  path: string,
  volumes: readonly Loose<Volume>[],
  owner: VolumesOwner,
): ReadonlyMap<string, Loose<Volume>> {
  const good = new Map<string, Loose<Volume>>();
  const created = claimsCreatedFor(owner.podName, volumes);
  volumes.forEach((volume, index) => {
    const at = `${path}[${index}]`;
    const { name = "", persistentVolumeClaim: claim } = volume;
    const own: FieldError[] = [];
    checkSources(own, at, volume, { ...owner, name, persistent: false });
    if (checkRequired(own, `${at}.name`, name)) checkLabel(own, `${at}.name`, name);
    if (good.has(name)) own.push(duplicate(`${at}.name`, name));
    if (own.length === 0) good.set(name, volume);
    else errors.push(...own);
    if (claim === undefined || !created.has(claim.claimName ?? "")) return;
    const why = "must not reference a PVC that gets created for an ephemeral volume";
    errors.push(invalid(`${at}.persistentVolumeClaim.claimName`, claim.claimName, why));
  });
  return good;
}

function claimsCreatedFor(podName: string | undefined, volumes: readonly Loose<Volume>[]): ReadonlySet<string> {
  if (!podName) return new Set();
  return new Set(volumes.flatMap(({ name, ephemeral }) => (ephemeral ? [`${podName}-${name ?? ""}`] : [])));
}

type PodVolumeContext = VolumeContext & VolumesOwner;

function checkSources(errors: Errors, path: string, volume: Loose<Volume>, context: PodVolumeContext): void {
  let found = false;
  for (const source of sources) {
    if (volume[source] === undefined) continue;
    if (found) errors.push(forbidden(`${path}.${surplusPathNames.get(source) ?? source}`, oneSourceOnly));
    else checkSource(errors, `${path}.${sourcePathNames.get(source) ?? source}`, source, volume, context);
    found = true;
  }
  if (!found) errors.push(required(path, "must specify a volume type"));
}

function checkSource<Key extends Source>(
  errors: Errors,
  path: string,
  key: Key,
  volume: Loose<Volume>,
  context: PodVolumeContext,
): void {
  const source = volume[key];
  if (source !== undefined && source !== null) checks[key](errors, path, source, context);
}

function checkCsiSource(errors: Errors, path: string, source: Loose<CSIVolumeSource>): void {
  checkCsiDriverName(errors, `${path}.driver`, source.driver ?? "");
  const secret = source.nodePublishSecretRef;
  if (secret === undefined) return;
  if (!checkRequired(errors, `${path}.nodePublishSecretRef.name`, secret.name)) return;
  addInvalid(errors, `${path}.name`, secret.name, validateDns1123Subdomain(secret.name));
}

const templateFields: ReadonlySet<string> = new Set(["annotations", "labels"]);

function checkEphemeral(
  errors: Errors,
  path: string,
  source: Loose<EphemeralVolumeSource>,
  context: PodVolumeContext,
): void {
  const template = source.volumeClaimTemplate;
  if (template === undefined) errors.push(required(`${path}.volumeClaimTemplate`));
  else {
    checkTemplateMeta(errors, `${path}.volumeClaimTemplate.metadata`, template.metadata ?? {});
    checkClaimSpec(errors, `${path}.volumeClaimTemplate.spec`, template.spec ?? {});
  }
  if (!context.podName || context.name === "") return;
  const claim = `${context.podName}-${context.name}`;
  const at = `${path.slice(0, path.lastIndexOf("."))}.name`;
  for (const message of validateDns1123Subdomain(claim)) {
    errors.push(invalid(at, context.name, `PVC name ${JSON.stringify(claim)}: ${message}`));
  }
}

/** Of the metadata of a template only labels and annotations have a meaning. */
export function checkTemplateMeta(errors: Errors, path: string, meta: Loose<Partial<ObjectMeta>>): void {
  checkAnnotations(errors, `${path}.annotations`, meta.annotations);
  checkLabels(errors, `${path}.labels`, meta.labels);
  for (const [field, value] of Object.entries(meta)) {
    if (templateFields.has(field) || value === undefined || value === null || value === "") continue;
    errors.push(forbidden(`${path}.${field}`, "cannot be set"));
  }
}
