import { describe, expect, test } from "vitest";
import { createLines, memberLines, parseMembers, parseSetNames, type SetMember } from "./ip-sets.js";

const member: SetMember = "KUBE-LOAD-BALANCER-SOURCE-CIDR 1.1.1.1,tcp:80,10.0.0.0/8";
const memberOf6: SetMember = "KUBE-LOAD-BALANCER-SOURCE-CIDR fd00::1,tcp:80,fd00::/8";

describe("sets of two families", () => {
  test("have different names, no longer than the kernel takes", () => {
    const names = ([4, 6] as const).flatMap((family) => createLines(family).map((line) => line.split(" ")[1] ?? ""));
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => name.length > 31)).toEqual([]);
    expect(createLines(6).filter((line) => line.includes("family inet "))).toEqual([]);
  });

  test("are read and written each by itself", () => {
    const lines = [...memberLines(new Set(), new Set([member]), 4), ...memberLines(new Set(), new Set([memberOf6]), 6)];
    expect(lines).toEqual([
      "add KUBE-LOAD-BALANCER-SOURCE-CIDR 1.1.1.1,tcp:80,10.0.0.0/8",
      "add KUBE-6-LOAD-BALANCER-SOURCE-CID fd00::1,tcp:80,fd00::/8",
    ]);
    expect([...parseMembers(lines.join("\n"), 4)]).toEqual([member]);
    expect([...parseMembers(lines.join("\n"), 6)]).toEqual([memberOf6]);
    const listed = "KUBE-CLUSTER-IP\nKUBE-6-CLUSTER-IP\nother\n";
    expect(parseSetNames(listed, 4)).toEqual(["KUBE-CLUSTER-IP"]);
    expect(parseSetNames(listed, 6)).toEqual(["KUBE-6-CLUSTER-IP"]);
  });
});
