import { type FieldError, forbidden, invalid, notSupported } from "../../api/field-error.js";
import { type RequestOptions, statusErrors } from "../../api/index.js";

/** How fresh, or how old, the answer to a read has to be. */
export type Freshness =
  /** As of now. */
  | { readonly type: "consistent" }
  /** Whatever is at hand. */
  | { readonly type: "any" }
  | { readonly type: "notOlderThan"; readonly revision: number }
  | { readonly type: "exact"; readonly revision: number };

/** Reads a resourceVersion. Errors: BadRequest for what is not an unsigned integer. */
export function parseResourceVersion(text: string | undefined): number | undefined {
  if (text === undefined || text === "") return undefined;
  const value = Number(text);
  if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(value)) return value;
  throw statusErrors.invalid("", "", "", [
    invalid("resourceVersion", text, `strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`),
  ]);
}

/** Checks the options of a list and says what they ask for; see "Resource Versions" in the API concepts. */
export function listFreshness(options: RequestOptions): Freshness {
  const revision = parseResourceVersion(options.resourceVersion);
  const match = options.resourceVersionMatch ?? "";
  const errors: FieldError[] = [];
  if (match !== "") {
    if (options.continue)
      errors.push(forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden for continue"));
    if (revision === undefined) {
      errors.push(
        forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"),
      );
    }
    if (match !== "Exact" && match !== "NotOlderThan") {
      errors.push(notSupported("resourceVersionMatch", match, ["Exact", "NotOlderThan"]));
    } else if (match === "Exact" && revision === 0) {
      errors.push(
        forbidden("resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'),
      );
    }
  }
  if (options.sendInitialEvents !== undefined) {
    errors.push(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
  }
  if (errors.length > 0) throw statusErrors.invalid("meta.k8s.io", "ListOptions", "", errors);
  if (options.continue) {
    if (revision !== undefined && revision !== 0) {
      throw statusErrors.badRequest("specifying resource version is not allowed when using continue");
    }
    return { type: "consistent" };
  }
  if (revision === undefined) return { type: "consistent" };
  if (revision === 0) return { type: "any" };
  // A page of a list at a revision, without a word on matching, has always meant exactly that revision.
  if (match === "Exact" || (match === "" && (options.limit ?? 0) > 0)) return { type: "exact", revision };
  return { type: "notOlderThan", revision };
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
  const revision = parseResourceVersion(options.resourceVersion);
  const match = options.resourceVersionMatch ?? "";
  const { sendInitialEvents } = options;
  const errors: FieldError[] = [];
  if (sendInitialEvents !== undefined) {
    if (match !== "NotOlderThan") {
      errors.push(
        forbidden("resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
      );
    }
  } else if (match !== "") {
    errors.push(
      forbidden(
        "resourceVersionMatch",
        "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
      ),
    );
  }
  if (options.continue) errors.push(forbidden("continue", "continue is forbidden for watch"));
  if (errors.length > 0) throw statusErrors.invalid("meta.k8s.io", "ListOptions", "", errors);

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
