import type { JsonObject } from "../object.js";

/** core/v1 and events.k8s.io/v1 hold the same event under other names. Core is what is stored. */
const renamed: readonly (readonly [core: string, events: string])[] = [
  ["involvedObject", "regarding"],
  ["message", "note"],
  ["source", "deprecatedSource"],
  ["firstTimestamp", "deprecatedFirstTimestamp"],
  ["lastTimestamp", "deprecatedLastTimestamp"],
  ["count", "deprecatedCount"],
  ["reportingComponent", "reportingController"],
];
const toCore = new Map(renamed.map(([core, events]) => [events, core]));
const toEvents = new Map(renamed);

export function coreEventOf(event: JsonObject): JsonObject {
  return rename(event, toCore, "v1");
}

export function eventOf(coreEvent: JsonObject): JsonObject {
  return rename(coreEvent, toEvents, "events.k8s.io/v1");
}

function rename(object: JsonObject, names: ReadonlyMap<string, string>, apiVersion: string): JsonObject {
  const entries = Object.entries(object).map(([key, value]) => [names.get(key) ?? key, value]);
  // fromEntries defines each field, so that a field called __proto__ stays a field.
  return { ...Object.fromEntries(entries), apiVersion };
}
