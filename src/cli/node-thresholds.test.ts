import { expect, test } from "vitest";
import { evictionOptions, imageCollectionOptions } from "./node-thresholds.js";

test("a kubelet's flags are read", () => {
  const flags = {
    evictionHard: "memory.available<100Mi,nodefs.available<10%",
    evictionSoft: "memory.available<1Gi",
    evictionSoftGracePeriod: "memory.available=1m30s",
    evictionMinimumReclaim: "memory.available=0Mi, nodefs.available=500Mi",
    evictionMaxPodGracePeriod: 30,
    evictionPressureTransitionPeriod: "2m",
  };
  expect(evictionOptions(flags)).toEqual({
    hard: { "memory.available": "100Mi", "nodefs.available": "10%" },
    soft: { "memory.available": "1Gi" },
    softGracePeriodSeconds: { "memory.available": 90 },
    minimumReclaim: { "memory.available": "0Mi", "nodefs.available": "500Mi" },
    maxPodGracePeriodSeconds: 30,
    pressureTransitionSeconds: 120,
  });
  expect(evictionOptions({ evictionHard: "" }).hard).toEqual({});
  expect(evictionOptions({}).hard).toBeUndefined();
  expect(
    imageCollectionOptions({ imageGcHighThreshold: 90, minimumImageTtlDuration: "5m", imageMaximumGcAge: "24h" }),
  ).toEqual({ highThresholdPercent: 90, minimumAgeSeconds: 300, maximumAgeSeconds: 86_400 });
});

test.each([
  ["memory.available=100Mi", "--eviction-hard: memory.available=100Mi is not of the form SIGNAL<AMOUNT"],
  ["memory.available<", "--eviction-hard: memory.available< is not of the form SIGNAL<AMOUNT"],
  ["disk<1Gi", "--eviction-hard: unsupported eviction signal disk"],
  ["memory.available<1Gi,memory.available<2Gi", "--eviction-hard: memory.available is given twice"],
])("%s is refused", (evictionHard, message) => {
  expect(() => evictionOptions({ evictionHard })).toThrow(message);
});
