import { type Pod, statusErrors } from "../../api/index.js";

/** The container that a request means: the one it names, or the only one. Throws 400 in upstream's words. */
export function containerOf(pod: Pod, asked: string): string {
  const containers = (pod.spec?.containers ?? []).map((container) => container.name);
  const initContainers = (pod.spec?.initContainers ?? []).map((container) => container.name);
  const ephemeral = (pod.spec?.ephemeralContainers ?? []).map((container) => container.name);
  const name = pod.metadata.name ?? "";
  if (asked !== "") {
    if ([...containers, ...initContainers, ...ephemeral].includes(asked)) return asked;
    throw statusErrors.badRequest(`container ${asked} is not valid for pod ${name}`);
  }
  const [only] = containers;
  if (only === undefined) throw statusErrors.badRequest(`a container name must be specified for pod ${name}`);
  if (containers.length === 1) return only;
  const init = initContainers.length > 0 ? ` or one of the init containers: [${initContainers.join(" ")}]` : "";
  throw statusErrors.badRequest(
    `a container name must be specified for pod ${name}, choose one of: [${containers.join(" ")}]${init}`,
  );
}
