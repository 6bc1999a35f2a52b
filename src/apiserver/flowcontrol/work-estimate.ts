import { parseRequestOptions } from "../http/query.js";
import type { ResourceRequestInfo } from "../http/request-info.js";
import type { FlowRequest } from "./flow-control.js";

/** All objects of a resource. */
export interface ResourceSize {
  readonly objects: number;
  readonly bytes: number;
}

/** What is known of a resource without reading it; undefined: another server has it, or nobody. */
export type SizeOf = (place: ResourceRequestInfo) => ResourceSize | undefined;

const bytesPerSeat = 100_000;
/** A list is streamed: no more of it is in memory at once. */
const maxBytesAtOnce = 1_000_000;

/**
 * How many seats a request takes: a list one for each 100 kB of objects, up to ten, as upstream estimates lists from its cache; a watch as much when it
 * begins with all objects; everything else one.
 */
export function estimateSeats(
  request: FlowRequest,
  sizeOf: SizeOf,
  { maxSeats }: { readonly maxSeats: number },
): number {
  const { verb, info, query } = request;
  if (info.type === "path" || (verb !== "list" && verb !== "watch")) return 1;
  const size = sizeOf(info);
  if (size === undefined || size.objects === 0) return 1;
  const { limit = 0, fieldSelector, sendInitialEvents } = optionsOf(query) ?? {};
  if (verb === "watch" && sendInitialEvents !== true) return 1;
  if (info.name !== "" || fieldSelector?.startsWith("metadata.name=")) return 1;
  const objects = limit > 0 ? Math.min(limit, size.objects) : size.objects;
  const bytes = Math.min((objects * size.bytes) / size.objects, maxBytesAtOnce);
  return Math.max(1, Math.min(Math.ceil(bytes / bytesPerSeat), maxSeats));
}

/** undefined: it will be refused when it is read for good. */
function optionsOf(query: string): ReturnType<typeof parseRequestOptions> | undefined {
  if (query === "") return undefined;
  try {
    return parseRequestOptions(query);
  } catch {
    return undefined;
  }
}
