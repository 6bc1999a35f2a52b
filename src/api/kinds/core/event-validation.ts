import { type FieldError, invalid } from "../../field-error.js";
import type { CoreEvent, Event, EventSeries } from "../../gen/types.js";
import { jsonEqual } from "../../json-value.js";
import { validateQualifiedName } from "../../names.js";
import { addInvalid, checkImmutable, checkRequired, type Errors } from "../checks.js";
import type { Loose } from "../loose.js";

const maxNote = 1024;
const maxWord = 128;

/** An event of either group, in the words of the older one, which all messages are in. */
type Said = Pick<
  Loose<CoreEvent>,
  "metadata" | "involvedObject" | "eventTime" | "reportingInstance" | "action" | "reason" | "message"
> & { readonly reportingController: string | undefined };

export function validateCoreEvent(event: Loose<CoreEvent>): readonly FieldError[] {
  return saidErrors({ ...event, reportingController: event.reportingComponent });
}

export function validateEvent(event: Loose<Event>): readonly FieldError[] {
  const { regarding, note, reportingController } = event;
  return saidErrors({
    ...event,
    ...(regarding && { involvedObject: regarding }),
    ...(note !== undefined && { message: note }),
    reportingController,
  });
}

/** Only events that tell their time to the microsecond are asked who says what, and in how many words. */
function saidErrors(event: Said): readonly FieldError[] {
  const errors: Errors = [];
  const own = event.metadata?.namespace ?? "";
  const about = event.involvedObject?.namespace ?? "";
  const mismatch = invalid("involvedObject.namespace", about, "does not match event.namespace");
  if (!event.eventTime) {
    const everywhere = about === "" && (own === "" || own === "default");
    if (about !== own && !everywhere) errors.push(mismatch);
    return errors;
  }
  if (about === "" && own !== "default" && own !== "kube-system") errors.push(mismatch);
  const { reportingController = "", message = "" } = event;
  checkRequired(errors, "reportingController", reportingController);
  addInvalid(errors, "reportingController", reportingController, validateQualifiedName(reportingController));
  for (const field of ["reportingInstance", "action", "reason"] as const) {
    const value = event[field] ?? "";
    checkRequired(errors, field, value);
    checkLength(errors, field, value, maxWord);
  }
  checkLength(errors, "message", message, maxNote);
  return errors;
}

function checkLength(errors: Errors, path: string, text: string, max: number): void {
  if (Buffer.byteLength(text) > max) errors.push(invalid(path, "", `can have at most ${max} characters`));
}

/** A new event of the newer API tells its time, and nothing in the fields of the older one. */
export function validateNewEvent(event: Loose<Event>): readonly FieldError[] {
  const errors: Errors = [];
  checkSeries(errors, event.series);
  checkRequired(errors, "eventTime", event.eventTime);
  if (event.type !== "Normal" && event.type !== "Warning") {
    errors.push(invalid("type", "", `has invalid value: ${event.type ?? ""}`));
  }
  const { deprecatedSource: { component = "", host = "" } = {} } = event;
  const unset = [
    ["firstTimestamp", event.deprecatedFirstTimestamp ?? ""],
    ["lastTimestamp", event.deprecatedLastTimestamp ?? ""],
    ["count", event.deprecatedCount || ""],
    ["source", component || host],
  ] as const;
  for (const [path, value] of unset) if (value !== "") errors.push(invalid(path, "", "needs to be unset"));
  return errors;
}

function checkSeries(errors: Errors, series: Loose<EventSeries> | undefined): void {
  if (series === undefined) return;
  if ((series.count ?? 0) < 2) errors.push(invalid("series.count", "", "should be at least 2"));
  checkRequired(errors, "series.lastObservedTime", series.lastObservedTime);
}

/** An event says what it said; only how often it happened may change. */
export function validateEventUpdate(event: Loose<Event>, old: Loose<Event>): readonly FieldError[] {
  const errors: Errors = [];
  if (!jsonEqual(event.series, old.series)) checkSeries(errors, event.series);
  for (const [field, path] of fixedFields) checkImmutable(errors, path, event[field], old[field]);
  return errors;
}

const fixedFields = [
  ["regarding", "involvedObject"],
  ["reason", "reason"],
  ["note", "message"],
  ["deprecatedSource", "source"],
  ["deprecatedFirstTimestamp", "firstTimestamp"],
  ["deprecatedLastTimestamp", "lastTimestamp"],
  ["deprecatedCount", "count"],
  ["type", "type"],
  ["eventTime", "eventTime"],
  ["action", "action"],
  ["related", "related"],
  ["reportingController", "reportingController"],
  ["reportingInstance", "reportingInstance"],
] as const;
