import { expect, test } from "vitest";
import { mountPointsIn } from "./mounts.js";

const row = (point: string): string => `36 35 98:0 / ${point} rw,noatime master:1 - ext4 /dev/root rw`;

test.each([
  ["the path itself and what is below it", ["/a/b", "/a", "/ab"], ["/a", "/a/b"]],
  ["names with spaces", ["/a/my\\040disk"], ["/a/my disk"]],
  ["nothing elsewhere", ["/", "/b/a"], []],
])("mount points are found: %s", (_name, points, expected) => {
  expect(mountPointsIn(`${points.map(row).join("\n")}\n`, "/a")).toEqual(expected);
});
