import { type GroupVersionResource, type StatusError, statusErrors, type Verb } from "../../api/index.js";
import { StoreError } from "../../store/index.js";

/** The one place where what a store refuses becomes what the API answers. */
export function toStatusError(
  error: unknown,
  resource: Pick<GroupVersionResource, "group" | "resource">,
  name: string,
  verb: Verb,
): unknown {
  if (!(error instanceof StoreError)) return error;
  return translate(error, resource, name, verb);
}

function translate(
  error: StoreError,
  resource: Pick<GroupVersionResource, "group" | "resource">,
  name: string,
  verb: Verb,
): StatusError {
  switch (error.code) {
    case "exists":
      return statusErrors.alreadyExists(resource, name);
    case "not-found":
      return statusErrors.notFound(resource, name);
    case "conflict":
      return statusErrors.conflict(resource, name, modifiedMessage);
    case "compacted":
      return statusErrors.expired("The resourceVersion for the provided list is too old.");
    case "future":
      return statusErrors.timeout(`Too large resource version: ${error.message}`);
    case "too-large":
      return statusErrors.requestEntityTooLarge(`${verb} of ${resource.resource} "${name}": ${error.message}`);
    case "no-lease":
    case "unavailable":
    case "closed":
      return statusErrors.serverTimeout(resource, verb, 1, { cause: error });
  }
}

export const modifiedMessage =
  "the object has been modified; please apply your changes to the latest version and try again";
