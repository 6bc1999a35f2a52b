import { type FieldError, invalid, required } from "../../field-error.js";
import type { CoreEvent, Event } from "../../gen/types.js";
import { checkImmutable, checkQualifiedName, type Errors } from "../checks.js";
import type { Loose } from "../loose.js";

const maxNote = 1024;

/** An event is in its object's namespace; one about an object without a namespace is in `default` (or kube-system). */
export function validateCoreEvent(event: Loose<CoreEvent>): readonly FieldError[] {
  const errors: Errors = [];
  checkNamespace(errors, event.metadata?.namespace, event.involvedObject?.namespace, "involvedObject.namespace");
  return errors;
}

export function validateEvent(event: Loose<Event>): readonly FieldError[] {
  const errors: Errors = [];
  checkNamespace(errors, event.metadata?.namespace, event.regarding?.namespace, "involvedObject.namespace");
  return errors;
}

function checkNamespace(errors: Errors, own: string | undefined, about: string | undefined, path: string): void {
  if (!about) {
    if (own && own !== "default" && own !== "kube-system") {
      errors.push(invalid(path, about ?? "", "does not match event.namespace"));
    }
  } else if (own !== about) {
    errors.push(invalid(path, about, "does not match event.namespace"));
  }
}

/** The newer API wants to know who says what, and in how many words. */
export function validateNewEvent(event: Loose<Event>): readonly FieldError[] {
  const errors: Errors = [];
  if (event.eventTime === undefined) errors.push(required("eventTime"));
  if (!event.reportingController) errors.push(required("reportingController"));
  else checkQualifiedName(errors, "reportingController", event.reportingController);
  if (!event.reportingInstance) errors.push(required("reportingInstance"));
  else if (event.reportingInstance.length > 128) {
    errors.push(invalid("reportingInstance", "", "can have at most 128 characters"));
  }
  if (!event.action) errors.push(required("action"));
  else if (event.action.length > 128) errors.push(invalid("action", "", "can have at most 128 characters"));
  if (!event.reason) errors.push(required("reason"));
  else if (event.reason.length > 128) errors.push(invalid("reason", "", "can have at most 128 characters"));
  if ((event.note?.length ?? 0) > maxNote) errors.push(invalid("message", "", "can have at most 1024 characters"));
  if (event.type !== "Normal" && event.type !== "Warning") {
    errors.push(invalid("type", "", `has invalid value: ${event.type ?? ""}`));
  }
  return errors;
}

/** An event says what it said; only how often and how long may change. */
export function validateEventUpdate(event: Loose<Event>, old: Loose<Event>): readonly FieldError[] {
  const errors: Errors = [];
  for (const field of [
    "reason",
    "note",
    "type",
    "eventTime",
    "action",
    "related",
    "reportingController",
    "reportingInstance",
  ] as const) {
    const path = field === "note" ? "message" : field;
    checkImmutable(errors, path, event[field], old[field]);
  }
  checkImmutable(errors, "involvedObject", event.regarding, old.regarding);
  return errors;
}
