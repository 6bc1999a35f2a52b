import type { StrategyContext } from "../../description.js";
import type { AppArmorProfile, Container, Pod, PodSpec } from "../../gen/types.js";
import { mapField, mapItems } from "../defaulting.js";
import { semanticallyEqual } from "../equality.js";
import { type Loose, ownValue } from "../loose.js";
import { appArmorPrefix, appArmorWarning } from "./pod-annotations.js";

type Profile = Loose<AppArmorProfile>;

/** A container's profile may still be said by an annotation of the pod, which then becomes the field. */
export function withAppArmorFields(pod: Loose<Pod>, warn: StrategyContext["warn"]): Loose<Pod> {
  const annotations = pod.metadata?.annotations;
  if (annotations === undefined || pod.spec?.os?.name === "windows") return pod;
  const ofPod = pod.spec?.securityContext?.appArmorProfile;
  const sync = <T extends Loose<Container>>(container: T): T => {
    const key = `${appArmorPrefix}${container.name ?? ""}`;
    const annotation = ownValue(annotations, key);
    if (annotation === undefined || container.securityContext?.appArmorProfile !== undefined) return container;
    const appArmorProfile = profileOf(annotation);
    if (appArmorProfile !== undefined && semanticallyEqual(appArmorProfile, ofPod)) return container;
    warn?.(`metadata.annotations[${key}]: ${appArmorWarning}`);
    if (appArmorProfile === undefined) return container;
    return { ...container, securityContext: { ...container.securityContext, appArmorProfile } };
  };
  return mapField(pod, "spec", (spec) =>
    (["initContainers", "containers", "ephemeralContainers"] as const).reduce<Loose<PodSpec>>(
      (result, list) => mapField(result, list, (containers) => mapItems(containers, sync)),
      spec,
    ),
  );
}

const localhost = "localhost/";

/** What cannot be a profile gives none. */
function profileOf(annotation: string): Profile | undefined {
  if (annotation === "unconfined") return { type: "Unconfined" };
  if (annotation === "runtime/default") return { type: "RuntimeDefault" };
  const localhostProfile = annotation.startsWith(localhost) ? annotation.slice(localhost.length) : "";
  if (localhostProfile === "" || localhostProfile.trim() !== localhostProfile) return undefined;
  return localhostProfile.length > maxProfileLength ? undefined : { type: "Localhost", localhostProfile };
}

const maxProfileLength = 4095;
