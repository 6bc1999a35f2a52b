import { type ControlPlane, startControlPlane } from "coxswain";
import { configMaps } from "coxswain/api";
import { ownResource } from "coxswain/apiserver";

/** ConfigMaps that are another system's settings, here those of a Map: read with kubectl, changed where they are. */
export function start(settings: ReadonlyMap<string, string>): Promise<ControlPlane> {
  const list = () =>
    [...settings].map(([name, value]) => ({ metadata: { name, namespace: "default" }, data: { value } }));
  return startControlPlane({ controllers: [], ownResources: [ownResource(configMaps, { list })] });
}
