import { forbidden, invalid, required } from "../../field-error.js";
import type {
  ClusterTrustBundleProjection,
  ConfigMapProjection,
  ServiceAccountTokenProjection,
  VolumeProjection,
} from "../../gen/types.js";
import { checkRequired, checkSubdomain, type Errors } from "../checks.js";
import { checkLabelSelector } from "../label-selector.js";
import type { Loose } from "../loose.js";
import { checkSignerName } from "../signer-name.js";
import { checkTokenSeconds } from "../token-seconds.js";
import { checkDownwardFile, checkItem } from "./file-validation.js";
import { checkLocalFile } from "./path-validation.js";

/** The files of all sources are in one folder. `taken` has those of the sources before. */
interface Folder {
  readonly path: string;
  readonly taken: Set<string>;
}

export function checkProjected(errors: Errors, path: string, sources: readonly Loose<VolumeProjection>[]): void {
  const folder: Folder = { path, taken: new Set() };
  sources.forEach((source, index) => {
    const at = `${path}.sources[${index}]`;
    checkKeys(errors, `${at}.secret`, source.secret, folder);
    checkKeys(errors, `${at}.configMap`, source.configMap, folder);
    for (const item of source.downwardAPI?.items ?? []) {
      checkDownwardFile(errors, `${at}.downwardAPI`, item);
      take(errors, folder, item.path ?? "", item.path);
    }
    if (source.serviceAccountToken !== undefined) {
      checkToken(errors, `${at}.serviceAccountToken`, source.serviceAccountToken, folder);
    }
    if (source.clusterTrustBundle !== undefined) {
      checkTrustBundle(errors, `${at}.clusterTrustBundle`, source.clusterTrustBundle);
      take(errors, folder, source.clusterTrustBundle.path ?? "", source.clusterTrustBundle.path ?? "");
    }
    const found = Object.values(source).filter((value) => value !== undefined).length;
    if (found > 1) errors.push(forbidden(at, "may not specify more than 1 volume type per source"));
  });
}

function take(errors: Errors, folder: Folder, file: string, shown: string | undefined): void {
  if (file === "") return;
  if (folder.taken.has(file)) errors.push(invalid(folder.path, shown ?? "", "conflicting duplicate paths"));
  folder.taken.add(file);
}

function checkKeys(
  errors: Errors,
  path: string,
  projection: Loose<ConfigMapProjection> | undefined,
  folder: Folder,
): void {
  if (projection === undefined) return;
  checkRequired(errors, `${path}.name`, projection.name);
  projection.items?.forEach((item, index) => {
    checkItem(errors, `${path}.items[${index}]`, item);
    take(errors, folder, item.path ?? "", projection.name);
  });
}

function checkToken(errors: Errors, path: string, token: Loose<ServiceAccountTokenProjection>, folder: Folder): void {
  checkTokenSeconds(errors, `${path}.expirationSeconds`, token.expirationSeconds ?? 0);
  // The path in the message is the volume's: upstream's.
  const at = `${folder.path}.path`;
  if (checkRequired(errors, at, token.path)) checkLocalFile(errors, at, token.path);
}

function checkTrustBundle(errors: Errors, path: string, bundle: Loose<ClusterTrustBundleProjection>): void {
  const { name, signerName, labelSelector } = bundle;
  if (name !== undefined && signerName !== undefined) {
    errors.push(invalid(path, bundle, "only one of name and signerName may be used"));
  } else if (name !== undefined) {
    if (checkRequired(errors, `${path}.name`, name, "must be a valid object name")) {
      checkSubdomain(errors, `${path}.name`, name.split(":").at(-1) ?? "");
    }
    if (labelSelector !== undefined) {
      errors.push(invalid(`${path}.labelSelector`, labelSelector, "labelSelector must be unset if name is specified"));
    }
  } else if (signerName !== undefined) {
    if (signerName === "") errors.push(required(`${path}.signerName`, "must be a valid signer name"));
    checkSignerName(errors, `${path}.signerName`, signerName);
    checkLabelSelector(errors, `${path}.labelSelector`, labelSelector);
  } else {
    errors.push(required(path, "either name or signerName must be specified"));
  }
  if (checkRequired(errors, `${path}.path`, bundle.path)) checkLocalFile(errors, `${path}.path`, bundle.path);
}
