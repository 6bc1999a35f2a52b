import type { EndpointSlice } from "../../gen/types.js";
import { mapField, mapItems, withDefaults } from "../defaulting.js";
import type { Loose } from "../loose.js";

export function defaultEndpointSlice(slice: Loose<EndpointSlice>): Loose<EndpointSlice> {
  return mapField(slice, "ports", (ports) =>
    mapItems(ports, (port) => withDefaults(port, { name: "", protocol: "TCP" })),
  );
}
