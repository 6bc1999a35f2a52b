import type { JsonObject } from "../../api/index.js";
import type { ServerRequest } from "../request.js";
import { admit, type RegistryContext, validateAdmission } from "./context.js";
import type { Endpoint } from "./endpoint.js";

/** Asks admission about a request that leads into an object, as `options` describe it. Gives the options to go on with. */
export async function admitConnect(
  context: RegistryContext,
  endpoint: Endpoint,
  request: ServerRequest,
  options: JsonObject,
): Promise<JsonObject> {
  const admitted = (await admit(context, endpoint, request, "CONNECT", options, undefined)) ?? options;
  await validateAdmission(context, endpoint, request, "CONNECT", admitted, undefined);
  return admitted;
}
