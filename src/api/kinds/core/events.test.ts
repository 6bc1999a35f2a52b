import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../object.js";
import { created, strategyFor, updated, withPath } from "../testing.js";

const eventTime = "2026-01-01T00:00:00.000000Z";
const about = { kind: "Pod", name: "web", namespace: "a" };
const event: JsonObject = { metadata: { name: "e", namespace: "a" }, involvedObject: about, reason: "Made" };
const timed: JsonObject = {
  ...event,
  eventTime,
  reportingComponent: "example.com/it",
  reportingInstance: "it-1",
  action: "Making",
};
const newer: JsonObject = {
  metadata: { name: "e", namespace: "a" },
  regarding: about,
  type: "Normal",
  reason: "Made",
  eventTime,
  reportingController: "example.com/it",
  reportingInstance: "it-1",
  action: "Making",
};
const mismatch = (namespace: string): string =>
  `involvedObject.namespace: Invalid value: "${namespace}": does not match event.namespace`;

const rows: { name: string; group?: string; given: JsonObject; path?: string; value?: unknown; errors: string[] }[] = [
  { name: "an event", given: event, errors: [] },
  { name: "an event that tells its time", given: timed, errors: [] },
  { name: "a newer event", group: "events.k8s.io", given: newer, errors: [] },
  {
    name: "an event about something in another namespace",
    given: event,
    path: "involvedObject.namespace",
    value: "b",
    errors: [mismatch("b")],
  },
  {
    name: "one that tells its time, of another namespace",
    given: timed,
    path: "involvedObject.namespace",
    value: "b",
    errors: [],
  },
  {
    name: "an event about something without a namespace",
    given: event,
    path: "involvedObject.namespace",
    value: undefined,
    errors: [mismatch("")],
  },
  {
    name: "an event of the system about something without a namespace",
    given: withPath(event, "metadata.namespace", "kube-system"),
    path: "involvedObject.namespace",
    value: undefined,
    errors: [mismatch("")],
  },
  {
    name: "one that tells its time, of the system, about something without a namespace",
    given: withPath(timed, "metadata.namespace", "kube-system"),
    path: "involvedObject.namespace",
    value: undefined,
    errors: [],
  },
  {
    name: "one that tells its time and not who says what",
    given: event,
    path: "eventTime",
    value: eventTime,
    errors: [
      "reportingController: Required value",
      'reportingController: Invalid value: "": name part must be non-empty',
      `reportingController: Invalid value: "": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
      "reportingInstance: Required value",
      "action: Required value",
    ],
  },
  {
    name: "one that tells its time in many words",
    given: timed,
    path: "message",
    value: "x".repeat(1025),
    errors: ['message: Invalid value: "": can have at most 1024 characters'],
  },
  {
    name: "a newer event without a time",
    group: "events.k8s.io",
    given: newer,
    path: "eventTime",
    value: undefined,
    errors: ["eventTime: Required value"],
  },
  {
    name: "a newer event of another type",
    group: "events.k8s.io",
    given: newer,
    path: "type",
    value: "Odd",
    errors: ['type: Invalid value: "": has invalid value: Odd'],
  },
  {
    name: "a newer event with what only the older one has",
    group: "events.k8s.io",
    given: { ...newer, deprecatedCount: 1, deprecatedSource: { host: "h" } },
    path: "deprecatedLastTimestamp",
    value: "2026-01-01T00:00:00Z",
    errors: [
      'lastTimestamp: Invalid value: "": needs to be unset',
      'count: Invalid value: "": needs to be unset',
      'source: Invalid value: "": needs to be unset',
    ],
  },
  {
    name: "a newer event that is a series of one",
    group: "events.k8s.io",
    given: newer,
    path: "series",
    value: { count: 1 },
    errors: ['series.count: Invalid value: "": should be at least 2', "series.lastObservedTime: Required value"],
  },
];

describe("events", () => {
  it.each(rows)("$name", ({ group = "", given, path, value, errors }) => {
    const whole = path === undefined ? given : withPath(given, path, value);
    expect(created(`${group}/events`, whole).errors).toEqual(errors);
  });

  it("of the newer group say what they said", () => {
    const again = { ...newer, series: { count: 2, lastObservedTime: eventTime } };
    expect(updated("events.k8s.io/events", again, newer).errors).toEqual([]);
    expect(updated("events.k8s.io/events", { ...again, note: "other", deprecatedCount: 2 }, newer).errors).toEqual([
      'message: Invalid value: "other": field is immutable',
      "count: Invalid value: 2: field is immutable",
    ]);
    expect(updated("/events", { ...timed, message: "other" }, timed).errors).toEqual([]);
  });

  it("of the older group may have names that other objects may not", () => {
    expect(strategyFor("/events").validateName?.("Web_1.x")).toEqual([]);
  });
});
