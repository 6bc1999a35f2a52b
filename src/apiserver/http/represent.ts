import type { KubeObject, ResourceDescription } from "../../api/index.js";
import type { StoredList, StoredObject } from "../request.js";
import type { Accepted } from "./negotiate.js";

export interface RepresentContext {
  readonly accepted: Accepted;
  readonly description: ResourceDescription;
  /** Raw; `includeObject` is in it. */
  readonly query: string;
  readonly nowMs: number;
}

/** A list whose elements are made one by one: there may be many. */
export interface ListShape {
  /** Everything but the elements, whose field comes last. */
  readonly envelope: { readonly kind: string; readonly apiVersion: string; readonly metadata: object };
  readonly field: "items" | "rows";
  element(stored: StoredObject): unknown;
}

/** Makes Tables and PartialObjectMetadata of objects. Called only when a client asks for one; may throw StatusError. */
export interface Representer {
  object(object: KubeObject, context: RepresentContext): unknown;
  list(list: StoredList, context: RepresentContext): ListShape;
  /** The object of a watch event, bookmarks too; `first` is the event that carries the column definitions. */
  event(object: KubeObject, first: boolean, context: RepresentContext): unknown;
}
