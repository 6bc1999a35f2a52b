import { invalid, required } from "../../field-error.js";
import type { ISCSIPersistentVolumeSource } from "../../gen/types.js";
import { validateRange } from "../../names.js";
import { addInvalid, checkRequired, type Errors } from "../checks.js";
import type { Loose } from "../loose.js";

/** The volume whose source is checked. */
export interface VolumeContext {
  readonly name: string;
  /** A PersistentVolume, whose secrets are in a namespace of their own, and not a volume of a pod. */
  readonly persistent: boolean;
}

const maxPortalName = 64;
const portalTooLong =
  "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.";
/** The three forms of qualified names, by their prefix. */
const forms: readonly (readonly [prefix: string, pattern: RegExp])[] = [
  ["iqn", /iqn\.\d{4}-\d{2}\.([A-Za-z0-9.-]+)(:[^,;*&$|\s]+)$/],
  ["eui", /^eui.[A-Za-z0-9]{16}$/],
  ["naa", /^naa.[A-Za-z0-9]{32}$/],
];

export function checkIscsi(
  errors: Errors,
  path: string,
  source: Loose<ISCSIPersistentVolumeSource>,
  volume: VolumeContext,
): void {
  const { targetPortal = "", iqn = "", lun = 0, initiatorName, secretRef } = source;
  checkRequired(errors, `${path}.targetPortal`, targetPortal);
  const portal = `${volume.name}:${targetPortal}`;
  if (volume.persistent && initiatorName !== undefined && portal.length > maxPortalName) {
    errors.push(invalid(`${path}.targetportal`, targetPortal, portalTooLong));
  }
  if (iqn === "") errors.push(required(`${path}.iqn`));
  else checkQualified(errors, `${path}.iqn`, iqn, volume);
  addInvalid(errors, `${path}.lun`, lun, validateRange(lun, 0, 255));
  if ((source.chapAuthDiscovery === true || source.chapAuthSession === true) && secretRef === undefined) {
    errors.push(required(`${path}.secretRef`));
  }
  if (volume.persistent && secretRef !== undefined) checkRequired(errors, `${path}.secretRef.name`, secretRef.name);
  if (initiatorName === undefined) return;
  checkQualified(errors, `${path}.initiatorname`, initiatorName, volume);
  if (volume.persistent || portal.length <= maxPortalName) return;
  errors.push(invalid(`${path.slice(0, path.lastIndexOf("."))}.name`, volume.name, portalTooLong));
}

function checkQualified(errors: Errors, path: string, name: string, volume: VolumeContext): void {
  const form = forms.find(([prefix]) => name.startsWith(prefix));
  if (form === undefined) {
    const why = volume.persistent ? "must be valid format" : "must be valid format starting with iqn, eui, or naa";
    errors.push(invalid(path, name, why));
  } else if (!form[1].test(name)) {
    errors.push(invalid(path, name, "must be valid format"));
  }
}
