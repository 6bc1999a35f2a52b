import { IptablesProxy } from "../../src/proxy/iptables/index.js";
import { describeProxyBackend } from "../../src/testing/proxy-contract.js";
import { type NetnsHost, netnsSubject, podCidr } from "./support/netns-host.js";

const tables = ["filter", "nat"] as const;

for (const variant of ["iptables-nft", "iptables-legacy"] as const) {
  describeProxyBackend({
    name: `IptablesProxy (${variant}, real packets)`,
    setup: () =>
      netnsSubject({
        createBackend: ({ exec }) => new IptablesProxy({ exec, variant, clusterCidr: podCidr }),
        async flush({ exec }) {
          for (const table of tables) {
            await exec(variant, ["-t", table, "-F"]);
            await exec(variant, ["-t", table, "-X"]);
          }
        },
        leftovers: (host) => kubeRules(host, variant),
      }),
  });
}

async function kubeRules({ exec }: NetnsHost, variant: string): Promise<readonly string[]> {
  const saved = await Promise.all(tables.map((table) => exec(`${variant}-save`, ["-t", table])));
  return saved.flatMap(({ stdout }) => stdout.split("\n").filter((line) => line.includes("KUBE-")));
}
