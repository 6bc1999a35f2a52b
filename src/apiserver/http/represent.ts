import type { KubeObject, ResourceDescription } from "../../api/index.js";
import type { StoredList } from "../request.js";
import type { Accepted } from "./negotiate.js";

export interface RepresentContext {
  readonly accepted: Accepted;
  readonly description: ResourceDescription;
  /** Raw; `includeObject` is in it. */
  readonly query: string;
  readonly nowMs: number;
}

/** Makes Tables and PartialObjectMetadata of objects. Called only when a client asks for one; may throw StatusError. */
export interface Representer {
  object(object: KubeObject, context: RepresentContext): unknown;
  list(list: StoredList, context: RepresentContext): unknown;
  /** The object of a watch event, bookmarks too; `first` is the event that carries the column definitions. */
  event(object: KubeObject, first: boolean, context: RepresentContext): unknown;
}
