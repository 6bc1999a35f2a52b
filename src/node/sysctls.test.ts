import { expect, test } from "vitest";
import type { PodSpec } from "../api/index.js";
import { makePod } from "../testing/builders.js";
import { forbiddenSysctls } from "./sysctls.js";

const allowed = ["net.core.*", "kernel.msgmax", "net/ipv4/conf/eth0.1/forwarding"];

function refusal(names: readonly string[], spec: Partial<PodSpec> = {}): string | undefined {
  const pod = makePod("a");
  const sysctls = names.map((name) => ({ name, value: "1" }));
  const whole = { ...pod, spec: { containers: [], ...pod.spec, ...spec, securityContext: { sysctls } } };
  const verdict = forbiddenSysctls(whole, allowed);
  expect(verdict?.reason).toBe(verdict === undefined ? undefined : "SysctlForbidden");
  return verdict?.message?.replace("forbidden sysctl: ", "");
}

test.each<[names: string[], spec: Partial<PodSpec>, message: string | undefined]>([
  [[], {}, undefined],
  [["kernel.shm_rmid_forced", "net.ipv4.tcp_rmem"], {}, undefined],
  [["net/ipv4/tcp_rmem"], {}, undefined],
  [["kernel.shm_rmid_forced", "vm.swappiness"], {}, '"vm.swappiness" not allowlisted'],
  [["kernel.msgmnb"], {}, '"kernel.msgmnb" not allowlisted'],
  [["kernel.msgmax", "net.core.somaxconn"], {}, undefined],
  [["net/core/somaxconn"], {}, undefined],
  [["net/ipv4/conf/eth0.1/forwarding"], {}, undefined],
  [["net/ipv4/conf/eth1.1/forwarding"], {}, '"net.ipv4.conf.eth1/1.forwarding" not allowlisted'],
  [["net.ipv4.tcp_rmem"], { hostNetwork: true }, '"net.ipv4.tcp_rmem" not allowed with host net enabled'],
  [["net.ipv4.tcp_rmem"], { hostIPC: true }, undefined],
  [["kernel.shm_rmid_forced"], { hostIPC: true }, '"kernel.shm_rmid_forced" not allowed with host ipc enabled'],
  [["kernel.msgmax"], { hostIPC: true }, '"kernel.msgmax" not allowed with host ipc enabled'],
])("%j of a pod with %j: %s", (names, spec, message) => {
  expect(refusal(names, spec)).toBe(message);
});
