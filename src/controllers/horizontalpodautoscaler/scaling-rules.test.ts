import { describe, expect, it } from "vitest";
import type { HorizontalPodAutoscalerBehavior, HPAScalingPolicy, HPAScalingRules } from "../../api/index.js";
import { type Decided, decide, ScaleHistory } from "./scaling-rules.js";

const minute = 60_000;
const pods = (value: number, periodSeconds = 60): HPAScalingPolicy => ({ type: "Pods", value, periodSeconds });
const percent = (value: number, periodSeconds = 60): HPAScalingPolicy => ({ type: "Percent", value, periodSeconds });
const rules = (...policies: readonly HPAScalingPolicy[]): HPAScalingRules => ({
  selectPolicy: "Max",
  stabilizationWindowSeconds: 0,
  policies,
});
const any = rules(percent(1000, 15));
const behavior = (
  up: HPAScalingRules,
  down: HPAScalingRules = rules(percent(100, 15)),
): HorizontalPodAutoscalerBehavior => ({
  scaleUp: up,
  scaleDown: down,
});

const reasons = ({ conditions }: Decided): readonly unknown[] =>
  conditions.map(({ status, reason }) => `${status} ${reason}`);

const once = [
  { name: "as desired", current: 3, desired: 5, replicas: 5, limited: "False DesiredWithinRange" },
  { name: "no more than the maximum", current: 8, desired: 12, replicas: 10, limited: "True TooManyReplicas" },
  { name: "no fewer than the minimum", current: 3, desired: 1, replicas: 2, limited: "True TooFewReplicas" },
  { name: "by default no more than twice as many", current: 3, desired: 9, replicas: 6, limited: "True ScaleUpLimit" },
  { name: "by default at once up to four", current: 1, desired: 9, replicas: 4, limited: "True ScaleUpLimit" },
  { name: "by pods", current: 3, desired: 9, up: rules(pods(2)), replicas: 5, limited: "True ScaleUpLimit" },
  {
    name: "by percent, rounded up",
    current: 3,
    desired: 9,
    up: rules(percent(10)),
    replicas: 4,
    limited: "True ScaleUpLimit",
  },
  {
    name: "by the larger",
    current: 3,
    desired: 9,
    up: rules(pods(2), percent(100)),
    replicas: 6,
    limited: "True ScaleUpLimit",
  },
  {
    name: "by the smaller",
    current: 3,
    desired: 9,
    up: { ...rules(pods(2), percent(100)), selectPolicy: "Min" },
    replicas: 5,
    limited: "True ScaleUpLimit",
  },
  {
    name: "not up at all",
    current: 3,
    desired: 9,
    up: { ...any, selectPolicy: "Disabled" },
    replicas: 3,
    limited: "True ScaleUpLimit",
  },
  {
    name: "the maximum before the policy",
    current: 9,
    desired: 15,
    up: rules(pods(5)),
    replicas: 10,
    limited: "True TooManyReplicas",
  },
  { name: "down by pods", current: 9, desired: 3, down: rules(pods(2)), replicas: 7, limited: "True ScaleDownLimit" },
  {
    name: "down by percent",
    current: 9,
    desired: 3,
    down: rules(percent(50)),
    replicas: 4,
    limited: "True ScaleDownLimit",
  },
  {
    name: "down by the larger",
    current: 9,
    desired: 3,
    down: rules(pods(2), percent(50)),
    replicas: 4,
    limited: "True ScaleDownLimit",
  },
  {
    name: "down by the smaller",
    current: 9,
    desired: 3,
    down: { ...rules(pods(2), percent(50)), selectPolicy: "Min" },
    replicas: 7,
    limited: "True ScaleDownLimit",
  },
  {
    name: "not down at all",
    current: 9,
    desired: 3,
    down: { ...any, selectPolicy: "Disabled" },
    replicas: 9,
    limited: "True ScaleDownLimit",
  },
  {
    name: "down to the minimum before the policy",
    current: 3,
    desired: 1,
    down: rules(pods(5)),
    replicas: 2,
    limited: "True TooFewReplicas",
  },
];

describe("one decision", () => {
  it.each(once)("$name", ({ current, desired, up, down, replicas, limited }) => {
    const how = up === undefined && down === undefined ? undefined : behavior(up ?? any, down);
    const decided = decide({ current, desired, min: 2, max: 10, behavior: how }, new ScaleHistory(), 0);
    expect(decided.replicas).toBe(replicas);
    expect(reasons(decided)).toEqual(["True ReadyForNewScale", limited]);
  });
});

describe("decisions in a row", () => {
  const at = (
    history: ScaleHistory,
    nowMs: number,
    current: number,
    desired: number,
    how?: HorizontalPodAutoscalerBehavior,
  ) => {
    const decided = decide({ current, desired, min: 1, max: 100, behavior: how }, history, nowMs);
    if (decided.replicas !== current) history.scaled(current, decided.replicas, nowMs, how);
    return decided;
  };

  it("go down by default only after five minutes, to the most of them", () => {
    const history = new ScaleHistory();
    history.begin(6, 0);
    const first = at(history, minute, 6, 2);
    expect(first.replicas).toBe(6);
    expect(reasons(first)).toEqual(["True ScaleDownStabilized", "False DesiredWithinRange"]);
    expect(at(history, 2 * minute, 6, 4).replicas).toBe(6);
    expect(at(history, 5 * minute + 1, 6, 2).replicas).toBe(4);
    expect(at(history, 7 * minute + 1, 4, 2).replicas).toBe(2);
  });

  it("go down after the window that the behavior has, or five minutes where it has none", () => {
    const { stabilizationWindowSeconds: _, ...open } = rules(percent(100, 15));
    for (const [down, windowMs] of [
      [{ ...open, stabilizationWindowSeconds: 120 }, 2 * minute],
      [open, 5 * minute],
    ] as const) {
      const history = new ScaleHistory();
      history.begin(6, 0);
      expect(at(history, windowMs - 1, 6, 2, behavior(any, down)).replicas).toBe(6);
      expect(at(history, windowMs, 6, 2, behavior(any, down)).replicas).toBe(2);
    }
  });

  it("go up to the least of the window", () => {
    const history = new ScaleHistory();
    const how = behavior({ ...any, stabilizationWindowSeconds: 60 });
    history.begin(2, 0);
    const held = at(history, 30_000, 2, 8, how);
    expect(held.replicas).toBe(2);
    expect(reasons(held)[0]).toBe("True ScaleUpStabilized");
    expect(at(history, 45_000, 2, 5, how).replicas).toBe(2);
    expect(at(history, 61_000, 2, 9, how).replicas).toBe(5);
  });

  it("count what a period has brought already", () => {
    const history = new ScaleHistory();
    const how = behavior(rules(pods(4, 60)));
    expect(at(history, 0, 1, 50, how).replicas).toBe(5);
    expect(at(history, 15_000, 5, 50, how).replicas).toBe(5);
    expect(at(history, 60_000, 5, 50, how).replicas).toBe(9);
  });

  it("count what went in between as well", () => {
    const history = new ScaleHistory();
    const how = behavior(rules(pods(4, 60)), rules(pods(10, 60)));
    expect(at(history, 0, 10, 12, how).replicas).toBe(12);
    expect(at(history, 15_000, 12, 5, how).replicas).toBe(5);
    // From ten at the period's start: four more, and the seven that went may come back.
    expect(at(history, 30_000, 5, 50, how).replicas).toBe(14);
  });

  it("keep no more than they need", () => {
    const history = new ScaleHistory();
    const how = behavior(rules(pods(1, 15)), rules(pods(1, 15)));
    for (let i = 0; i < 1000; i++) at(history, i * 15_000, i % 2 === 0 ? 5 : 6, i % 2 === 0 ? 9 : 1, how);
    const kept = [history.recommendations, history.ups, history.downs].map(({ length }) => length);
    expect(Math.max(...kept)).toBeLessThan(5);
  });
});
