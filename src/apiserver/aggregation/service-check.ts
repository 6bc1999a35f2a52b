import { type EndpointSlice, endpointSlices, services } from "../../api/index.js";
import type { CacheReader } from "../admission/admission.js";
import type { Availability } from "./conditions.js";
import type { RemoteService } from "./remote-services.js";

/** What the objects of the cluster say of the way to a service; undefined: nothing against it. */
export function checkService(remote: RemoteService, cache: CacheReader): Availability | undefined {
  const { namespace, name, port } = remote.service;
  const where = `service/${name} in ${JSON.stringify(namespace)}`;
  const service = cache.get(services, { namespace, name });
  if (service === undefined) return failing("ServiceNotFound", `${where} is not present`);
  // Of other types only the service itself knows where they lead.
  if (service.spec?.type !== "ClusterIP") return undefined;
  const found = service.spec.ports?.find((candidate) => candidate.port === port);
  if (found === undefined) return failing("ServicePortError", `${where} is not listening on port ${port}`);
  const slices = cache
    .list(endpointSlices, namespace)
    .filter((slice) => slice.metadata.labels?.["kubernetes.io/service-name"] === name);
  if (slices.length === 0) return failing("EndpointsNotFound", `cannot find endpointslices for ${where}`);
  const portName = found.name ?? "";
  if (slices.some((slice) => hasEndpoint(slice, portName))) return undefined;
  const message = `endpointslices for ${where} have no addresses with port name ${JSON.stringify(portName)}`;
  return failing("MissingEndpoints", message);
}

export function failing(reason: string, message: string): Availability {
  return { status: "False", reason, message };
}

function hasEndpoint({ endpoints = [], ports = [] }: EndpointSlice, portName: string): boolean {
  const ready = endpoints.some(({ conditions }) => conditions?.ready !== false);
  return ready && ports?.some(({ name, port }) => (name ?? "") === portName && port !== undefined) === true;
}
