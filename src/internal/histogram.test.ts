import { expect, test } from "vitest";
import { Histogram } from "./histogram.js";

test("each bucket counts what is in it and below", () => {
  const histogram = new Histogram([0, 0.5, 2]);
  const lines: string[] = [];
  histogram.write(lines, "empty", 'a="b"');
  for (const value of [0, 0.25, 0.5, 1, 3]) histogram.observe(value);
  histogram.write(lines, "wait", 'a="b"');
  expect(lines).toEqual([
    'wait_bucket{a="b",le="0"} 1',
    'wait_bucket{a="b",le="0.5"} 3',
    'wait_bucket{a="b",le="2"} 4',
    'wait_bucket{a="b",le="+Inf"} 5',
    'wait_sum{a="b"} 4.75',
    'wait_count{a="b"} 5',
  ]);
});
