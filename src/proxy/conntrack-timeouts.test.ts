import { expect, test } from "vitest";
import { ConntrackTimeouts } from "./conntrack-timeouts.js";
import type { Exec } from "./exec.js";

const closeWait = "net.netfilter.nf_conntrack_tcp_timeout_close_wait";
const established = "net.netfilter.nf_conntrack_tcp_timeout_established";

function kernel(values: Map<string, string>): { readonly exec: Exec; readonly writes: string[] } {
  const writes: string[] = [];
  const exec: Exec = async (_, args) => {
    let stdout = "";
    for (const arg of args.filter((each) => !each.startsWith("-"))) {
      const [name = "", value] = arg.split("=");
      if (!values.has(name)) return { code: 255, stdout: "", stderr: `cannot stat ${name}` };
      if (value === undefined) stdout += `${values.get(name)}\n`;
      else {
        writes.push(arg);
        values.set(name, value);
      }
    }
    return { code: 0, stdout, stderr: "" };
  };
  return { exec, writes };
}

test("are what kube-proxy sets, and given back unless somebody else changed them", async () => {
  const values = new Map([
    [closeWait, "60"],
    [established, "432000"],
  ]);
  const { exec, writes } = kernel(values);
  const timeouts = new ConntrackTimeouts(exec);
  await timeouts.hold();
  expect(Object.fromEntries(values)).toEqual({ [closeWait]: "3600", [established]: "86400" });
  await timeouts.hold();
  expect(writes).toHaveLength(2);
  values.set(established, "100");
  await timeouts.release();
  expect(Object.fromEntries(values)).toEqual({ [closeWait]: "60", [established]: "100" });
});

test("a kernel that has them not is complained about once", async () => {
  const warnings: string[] = [];
  const quiet = (): void => {};
  const logger = { debug: quiet, info: quiet, error: quiet, warn: (message: string) => void warnings.push(message) };
  const timeouts = new ConntrackTimeouts(kernel(new Map()).exec, logger);
  await timeouts.hold();
  await timeouts.hold();
  await timeouts.release();
  expect(warnings).toEqual(["timeouts of TCP connections could not be set"]);
});
