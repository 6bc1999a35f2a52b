import { expect, test } from "vitest";
import { exponentialBounds, Metrics } from "./metrics.js";

test("figures are written by name, plain ones from the start", () => {
  const metrics = new Metrics();
  const seen = metrics.counter("seen_total", "How many were seen.");
  const by = metrics.counter("by_code_total", "Answers by code.", ["code", "text"]);
  const now = metrics.gauge("now", "What is.");
  const took = metrics.histogram("took_seconds", "How long.", [1, 2]);
  const tookBy = metrics.histogram("a_seconds", "How long, by type.", [1], ["type"]);
  expect(metrics.lines().filter((line) => !line.startsWith("#"))).toEqual([
    "now 0",
    "seen_total 0",
    'took_seconds_bucket{le="1"} 0',
    'took_seconds_bucket{le="2"} 0',
    'took_seconds_bucket{le="+Inf"} 0',
    "took_seconds_sum 0",
    "took_seconds_count 0",
  ]);
  seen.add();
  seen.add([], 2);
  by.add(["200", 'a "b"']);
  by.add(["200", 'a "b"']);
  now.set(7.5);
  took.observe(1.5);
  tookBy.observe(3, ["A"]);
  expect(metrics.lines()).toEqual([
    "# HELP a_seconds How long, by type.",
    "# TYPE a_seconds histogram",
    'a_seconds_bucket{type="A",le="1"} 0',
    'a_seconds_bucket{type="A",le="+Inf"} 1',
    'a_seconds_sum{type="A"} 3',
    'a_seconds_count{type="A"} 1',
    "# HELP by_code_total Answers by code.",
    "# TYPE by_code_total counter",
    'by_code_total{code="200",text="a \\"b\\""} 2',
    "# HELP now What is.",
    "# TYPE now gauge",
    "now 7.5",
    "# HELP seen_total How many were seen.",
    "# TYPE seen_total counter",
    "seen_total 3",
    "# HELP took_seconds How long.",
    "# TYPE took_seconds histogram",
    'took_seconds_bucket{le="1"} 0',
    'took_seconds_bucket{le="2"} 1',
    'took_seconds_bucket{le="+Inf"} 1',
    "took_seconds_sum 1.5",
    "took_seconds_count 1",
  ]);
});

test("exponential bounds are as short as they are exact", () => {
  expect(exponentialBounds(0.001, 2, 4)).toEqual([0.001, 0.002, 0.004, 0.008]);
  expect(exponentialBounds(0.00025, 2, 3)).toEqual([0.00025, 0.0005, 0.001]);
});
