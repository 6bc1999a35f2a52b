import { statusErrors } from "../../api/index.js";
import { type Accepted, mediaTypes, protobufType } from "../http/negotiate.js";
import type { AggregatedVersion } from "./documents.js";

export const plainJson = "application/json";

/** What a client of `/api` or `/apis` gets: one version of the aggregated document, or the legacy one. */
export type DiscoveryForm = AggregatedVersion | "legacy";

export interface AcceptedDiscovery {
  readonly form: DiscoveryForm;
  /** Aggregated documents are JSON. */
  readonly format: Accepted["format"];
}

const formats: ReadonlyMap<string, Accepted["format"]> = new Map([
  [plainJson, "json"],
  ["*/*", "json"],
  ["application/*", "json"],
  ["application/yaml", "yaml"],
  [protobufType, "protobuf"],
]);

/** Clients parse this to the letter to see that they got what they asked for. */
export function discoveryContentType(form: DiscoveryForm): string {
  return form === "legacy" ? plainJson : `application/json;g=apidiscovery.k8s.io;v=${form};as=APIGroupDiscoveryList`;
}

/** The first form of an Accept header that there is. Throws 406 where there is none. */
export function acceptDiscovery(header: string | undefined): AcceptedDiscovery {
  if (header === undefined || header.trim() === "") return { form: "legacy", format: "json" };
  for (const clause of header.split(",").slice(0, 64)) {
    const [type = "", ...rest] = clause.split(";").map((part) => part.trim());
    const format = formats.get(type);
    if (format === undefined) continue;
    const parameters = new Map(
      rest.map((part): [string, string] => {
        const equals = part.indexOf("=");
        return equals < 0 ? [part, ""] : [part.slice(0, equals), part.slice(equals + 1)];
      }),
    );
    const as = parameters.get("as");
    if (as === undefined) return { form: "legacy", format };
    const version = parameters.get("v");
    if (format !== "json" || as !== "APIGroupDiscoveryList" || parameters.get("g") !== "apidiscovery.k8s.io") continue;
    if (version === "v2" || version === "v2beta1") return { form: version, format };
  }
  throw statusErrors.notAcceptable(mediaTypes);
}
