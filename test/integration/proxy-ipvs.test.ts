import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { IpvsProxy } from "../../src/proxy/ipvs/index.js";
import { checksOf } from "./support/ipvs-checks.js";
import { makeNetnsHost } from "./support/netns-host.js";
import { runInUml } from "./support/uml.js";
import type { GuestResult } from "./support/uml-ipvs-script.js";

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

const modules = [
  ..."ip_vs ip_vs_rr veth bridge dummy nf_conntrack nf_conntrack_netlink nf_nat iptable_nat iptable_filter".split(" "),
  ..."xt_comment xt_mark xt_MASQUERADE xt_nat xt_conntrack xt_addrtype xt_set xt_tcpudp ipt_REJECT".split(" "),
  ..."ipv6 ip6_tables ip6table_nat ip6table_filter ip6t_REJECT".split(" "),
  ..."ip_set ip_set_hash_ip ip_set_hash_ipport ip_set_hash_ipportip ip_set_hash_ipportnet ip_set_bitmap_port".split(
    " ",
  ),
];

describe("IpvsProxy as a ProxyBackend (real IPVS in User-Mode Linux)", () => {
  let results = new Map<string, GuestResult>();
  beforeAll(async () => {
    const list = await runInUml<readonly GuestResult[]>({
      script: path("./support/uml-ipvs-script.ts"),
      modules,
      env: { AGENT: path("./support/netns-agent.mjs") },
      timeoutMs: 540_000,
    });
    results = new Map(list.map((result) => [result.name, result]));
  }, 600_000);

  const names = [
    ...checksOf(4).map(({ name }) => name),
    ...checksOf(6).map(({ name }) => `${name}, over IPv6`),
    "a removed endpoint is gone from the kernel once it has no connections",
  ];
  for (const name of names) {
    test(name, () => {
      const result = results.get(name);
      expect(result, "was run in the guest").toBeDefined();
      expect(result?.error).toBeUndefined();
    });
  }
});

test("a kernel without IPVS is one clear error", async () => {
  await using host = await makeNetnsHost();
  const { code } = await host.exec("ipvsadm", ["-Sn"]);
  const sync = new IpvsProxy({ exec: host.exec }).sync({ table: { ports: new Map() }, changed: undefined });
  if (code === 0) await sync;
  else
    await expect(sync).rejects.toMatchObject({
      code: "unsupported",
      message: "this kernel has no IPVS (module ip_vs)",
    });
});
