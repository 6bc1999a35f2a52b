import { describe, expect, it } from "vitest";
import { coreEventOf, eventOf } from "./convert-events.js";

const core = {
  apiVersion: "v1",
  kind: "Event",
  metadata: { name: "e", namespace: "n" },
  involvedObject: { kind: "Pod", name: "p" },
  related: { kind: "Node", name: "x" },
  reason: "Pulled",
  message: "m",
  source: { component: "kubelet" },
  firstTimestamp: "2026-01-01T00:00:00Z",
  lastTimestamp: "2026-01-01T00:01:00Z",
  count: 2,
  type: "Normal",
  eventTime: "2026-01-01T00:00:00.000000Z",
  series: { count: 2, lastObservedTime: "2026-01-01T00:01:00.000000Z" },
  action: "Pull",
  reportingComponent: "kubelet",
  reportingInstance: "n1",
};

const events = {
  apiVersion: "events.k8s.io/v1",
  kind: "Event",
  metadata: { name: "e", namespace: "n" },
  regarding: { kind: "Pod", name: "p" },
  related: { kind: "Node", name: "x" },
  reason: "Pulled",
  note: "m",
  deprecatedSource: { component: "kubelet" },
  deprecatedFirstTimestamp: "2026-01-01T00:00:00Z",
  deprecatedLastTimestamp: "2026-01-01T00:01:00Z",
  deprecatedCount: 2,
  type: "Normal",
  eventTime: "2026-01-01T00:00:00.000000Z",
  series: { count: 2, lastObservedTime: "2026-01-01T00:01:00.000000Z" },
  action: "Pull",
  reportingController: "kubelet",
  reportingInstance: "n1",
};

describe("events", () => {
  it("renames core to events.k8s.io", () => expect(eventOf(core)).toEqual(events));
  it("renames events.k8s.io to core", () => expect(coreEventOf(events)).toEqual(core));
  it("changes nothing in place", () => {
    const frozen = Object.freeze({ ...core });
    eventOf(frozen);
    expect(frozen).toEqual(core);
  });
});
