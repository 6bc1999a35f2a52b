import type { Exec, ExecResult } from "../exec.js";
import { ProxyError } from "../proxy.js";

/** Programs and the Debian packages that have them. */
const packages: ReadonlyMap<string, string> = new Map([
  ["ipvsadm", "ipvsadm"],
  ["ipset", "ipset"],
  ["ip", "iproute2"],
  ["sysctl", "procps"],
  ["nft", "nftables"],
]);

/** Runs a program that must succeed. Rejects with ProxyError, `unsupported` where it is missing or not permitted. */
export async function must(
  exec: Exec,
  command: string,
  args: readonly string[],
  options: { readonly stdin?: string | undefined; readonly signal?: AbortSignal | undefined } = {},
): Promise<string> {
  let result: ExecResult;
  try {
    result = await exec(command, args, options);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") {
      const from = packages.get(command) ?? "iptables";
      throw new ProxyError("unsupported", `${command} is not installed (Debian's package ${from} has it)`, {
        cause: error,
      });
    }
    throw error;
  }
  if (result.code !== 0) throw failure(command, result, options.stdin);
  return result.stdout;
}

function failure(command: string, { code, stderr }: ExecResult, stdin: string | undefined): ProxyError {
  const said = stderr.trim().split("\n").slice(0, 3).join("; ").slice(0, 500);
  if (/must be root|Permission denied|Operation not permitted/.test(said))
    return new ProxyError("unsupported", `${command} needs root: ${said}`);
  const number = Number(/line:? (\d+)/i.exec(said)?.[1]);
  const line = Number.isInteger(number) ? stdin?.split("\n")[number - 1] : undefined;
  const where = line === undefined ? "" : ` (at ${JSON.stringify(line.slice(0, 300))})`;
  return new ProxyError("failed", `${command} ended with ${code}: ${said}${where}`);
}
