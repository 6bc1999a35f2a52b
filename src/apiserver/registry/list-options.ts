import { type FieldError, forbidden, notSupported } from "../../api/field-error.js";
import { type RequestOptions, type StatusError, statusErrors } from "../../api/index.js";

/** How fresh, or how old, the answer to a read has to be. */
export type Freshness =
  /** As of now. */
  | { readonly type: "consistent" }
  /** Whatever is at hand. */
  | { readonly type: "any" }
  | { readonly type: "notOlderThan"; readonly revision: number }
  | { readonly type: "exact"; readonly revision: number };

/** Reads a resourceVersion. Errors: what `refuse` makes of why it is none. */
export function parseResourceVersion(
  text: string | undefined,
  refuse: (why: string) => StatusError,
): number | undefined {
  if (text === undefined || text === "") return undefined;
  const why = !/^[0-9]+$/.test(text) ? "invalid syntax" : BigInt(text) > maxUint64 ? "value out of range" : undefined;
  // Beyond what a number holds exactly no store has been yet: the read is told that it is too large.
  if (why === undefined) return Math.min(Number(text), Number.MAX_SAFE_INTEGER);
  const quoted = JSON.stringify(text);
  throw refuse(`resourceVersion: Invalid value: ${quoted}: strconv.ParseUint: parsing ${quoted}: ${why}`);
}

const maxUint64 = 2n ** 64n - 1n;

/** What a get or a watch says to a resourceVersion that is none: upstream takes it for a fault of its own. */
export const unknownError = (message: string): StatusError => statusErrors.unclassified(message);

/** Checks the options of a list and says what they ask for; see "Resource Versions" in the API concepts. */
export function listFreshness(options: RequestOptions): Freshness {
  checkList(options);
  const revision = parseResourceVersion(options.resourceVersion, (why) =>
    statusErrors.badRequest(`invalid resource version: ${why}`),
  );
  if (options.continue) {
    if (options.resourceVersion && options.resourceVersion !== "0") {
      throw statusErrors.badRequest("specifying resource version is not allowed when using continue");
    }
    return { type: "consistent" };
  }
  if (revision === undefined) return { type: "consistent" };
  if (revision === 0) return { type: "any" };
  const { resourceVersionMatch: match = "", limit = 0 } = options;
  // A page of a list at a revision, without a word on matching, has always meant exactly that revision.
  if (match === "Exact" || (match === "" && limit > 0)) return { type: "exact", revision };
  return { type: "notOlderThan", revision };
}

function checkList(options: RequestOptions): void {
  const match: string = options.resourceVersionMatch ?? "";
  const refused: FieldError[] = [];
  const refuse = (message: string): void => void refused.push(forbidden("resourceVersionMatch", message));
  if (match !== "") {
    if (!options.resourceVersion) refuse("resourceVersionMatch is forbidden unless resourceVersion is provided");
    if (options.continue) refuse("resourceVersionMatch is forbidden when continue is provided");
    if (match !== "Exact" && match !== "NotOlderThan") {
      refused.push(unsupportedMatch(match));
    }
    if (match === "Exact" && options.resourceVersion === "0") {
      refuse('resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
    }
  }
  if (options.sendInitialEvents !== undefined) {
    refused.push(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
  }
  if (refused.length > 0) throw statusErrors.invalid("meta.k8s.io", "ListOptions", "", refused);
}

/** Upstream names the values in this order, not sorted. */
function unsupportedMatch(match: string): FieldError {
  const message = `Unsupported value: ${JSON.stringify(match)}: supported values: "Exact", "NotOlderThan", ""`;
  return { path: "resourceVersionMatch", reason: "FieldValueNotSupported", message };
}

/** How a watch begins. */
export interface WatchStart {
  /** Everything that exists comes first, as ADDED. */
  readonly initial: boolean;
  /** A bookmark says where the initial state ends. */
  readonly marksEnd: boolean;
  readonly from: Freshness;
}

export function watchStart(options: RequestOptions): WatchStart {
  checkWatch(options);
  const revision = parseResourceVersion(options.resourceVersion, unknownError);
  const { sendInitialEvents } = options;
  const none = revision === undefined || revision === 0;
  const initial = sendInitialEvents ?? none;
  const from: Freshness =
    revision === undefined
      ? { type: "consistent" }
      : revision === 0
        ? { type: "any" }
        : { type: "notOlderThan", revision };
  return { initial, marksEnd: sendInitialEvents === true && options.allowWatchBookmarks === true, from };
}

function checkWatch(options: RequestOptions): void {
  const match = options.resourceVersionMatch ?? "";
  const refused: FieldError[] = [];
  const refuse = (message: string): void => void refused.push(forbidden("resourceVersionMatch", message));
  if (options.sendInitialEvents !== undefined && match !== "NotOlderThan") {
    refuse("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
  }
  if (match !== "") {
    if (options.sendInitialEvents === undefined) {
      refuse("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
    }
    if (match !== "NotOlderThan") refused.push(notSupported("resourceVersionMatch", match, ["NotOlderThan"]));
    if (options.continue) refuse("resourceVersionMatch is forbidden when continue is provided");
  }
  if (refused.length > 0) throw statusErrors.invalid("meta.k8s.io", "ListOptions", "", refused);
}
