import { statusErrors } from "../../api/index.js";
import type { AggregatedVersion } from "./documents.js";

export const plainJson = "application/json";

/** What a client of `/api` or `/apis` gets: one version of the aggregated document, or the legacy one. */
export type DiscoveryForm = AggregatedVersion | "legacy";

/** Clients parse this to the letter to see that they got what they asked for. */
export function discoveryContentType(form: DiscoveryForm): string {
  return form === "legacy" ? plainJson : `application/json;g=apidiscovery.k8s.io;v=${form};as=APIGroupDiscoveryList`;
}

/** The first form of an Accept header that there is. Throws 406 where there is none. */
export function acceptDiscovery(header: string | undefined): DiscoveryForm {
  if (header === undefined || header.trim() === "") return "legacy";
  for (const clause of header.split(",").slice(0, 64)) {
    const [type = "", ...rest] = clause.split(";").map((part) => part.trim());
    if (type !== plainJson && type !== "*/*" && type !== "application/*") continue;
    const parameters = new Map(
      rest.map((part): [string, string] => {
        const equals = part.indexOf("=");
        return equals < 0 ? [part, ""] : [part.slice(0, equals), part.slice(equals + 1)];
      }),
    );
    const as = parameters.get("as");
    if (as === undefined) return "legacy";
    const version = parameters.get("v");
    if (as !== "APIGroupDiscoveryList" || parameters.get("g") !== "apidiscovery.k8s.io") continue;
    if (version === "v2" || version === "v2beta1") return version;
  }
  throw statusErrors.notAcceptable([plainJson, discoveryContentType("v2"), discoveryContentType("v2beta1")]);
}
