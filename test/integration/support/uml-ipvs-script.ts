// Runs in the guest: the whole contract over a real IPVS, and what only IPVS has.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { IpvsProxy } from "../../../src/proxy/ipvs/index.js";
import { type ProxySubject, proxyChecks, runProxyCheck } from "../../../src/testing/proxy-checks.js";
import { checksOf } from "./ipvs-checks.js";
import { type NetnsHost, netnsSubject, podCidr, podCidrOf6 } from "./netns-host.js";

export interface GuestResult {
  readonly name: string;
  readonly ms: number;
  readonly error?: string;
}

const { RESULT = "", AGENT = "", ONLY } = process.env;
let host: NetnsHost | undefined;

const subjectOf = (family: 4 | 6): Promise<ProxySubject> =>
  netnsSubject({
    family,
    agentScript: AGENT,
    network: "routed",
    here: true,
    virtualRoutes: "unreachable",
    // A guest on a busy machine is slow, and few packets get no answer here.
    timeoutMs: 5000,
    createBackend(made) {
      host = made;
      const clusterCidr = family === 4 ? podCidr : podCidrOf6;
      const options = { families: [family], variant: "iptables-legacy", clusterCidr, drainPeriodMs: 200 } as const;
      return new IpvsProxy({ exec: made.exec, ...options });
    },
    async flush({ exec }) {
      await exec("ipvsadm", ["-C"]);
      for (const table of ["filter", "nat"])
        await exec(family === 4 ? "iptables-legacy" : "ip6tables-legacy", ["-t", table, "-F"]);
      await exec("ip", ["link", "del", "kube-ipvs0"]);
    },
    async leftovers({ exec }) {
      const { stdout: servers } = await exec("ipvsadm", ["-Sn"]);
      const { stdout: sets } = await exec("ipset", ["list", "-n"]);
      const { stdout: links } = await exec("ip", ["-o", "link"]);
      const save = family === 4 ? "iptables-legacy-save" : "ip6tables-legacy-save";
      const rules = await Promise.all(["filter", "nat"].map((table) => exec(save, ["-t", table])));
      return [servers, sets, links, ...rules.map(({ stdout }) => stdout)]
        .flatMap((text) => text.split("\n"))
        .filter((line) => /^-A -|KUBE-|kube-/.test(line) || /^-a /.test(line));
    },
  });

async function ipvs(...args: readonly string[]): Promise<string> {
  return (await host?.exec("ipvsadm", args))?.stdout ?? "";
}

const more: readonly { readonly name: string; run(subject: ProxySubject): Promise<void> }[] = [
  {
    name: "a removed endpoint is gone from the kernel once it has no connections",
    async run(one) {
      const check = proxyChecks.find(({ name }) => name.startsWith("changes take effect"));
      assert.ok(check);
      let drained = "";
      await runProxyCheck(
        {
          name: check.name,
          async run(context) {
            await check.run(context);
            for (let tries = 0; tries < 100; tries++) {
              drained = await ipvs("-Sn");
              if (!drained.includes("-w 0")) break;
              await new Promise((resolve) => setTimeout(resolve, 100));
            }
          },
        },
        one,
      );
      assert.match(drained, /-A -t/);
      assert.doesNotMatch(drained, /-w 0/);
    },
  },
];

const results: GuestResult[] = [];
for (const family of [4, 6] as const) {
  const subject = await subjectOf(family);
  const all = [
    ...checksOf(family).map((check) => ({ name: check.name, run: () => runProxyCheck(check, subject) })),
    ...(family === 4 ? more : []),
  ];
  for (const { name: what, run } of all) {
    const name = family === 4 ? what : `${what}, over IPv6`;
    if (ONLY !== undefined && !name.includes(ONLY)) continue;
    const started = performance.now();
    try {
      await run(subject);
      results.push({ name, ms: performance.now() - started });
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      results.push({ name, ms: performance.now() - started, error: text });
    }
  }
  await subject.dispose();
}
await writeFile(RESULT, JSON.stringify(results));
