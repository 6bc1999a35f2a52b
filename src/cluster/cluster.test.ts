import { expect, it } from "vitest";
import { MemoryStore } from "../store/index.js";
import { startCluster } from "./cluster.js";

it.each([
  ["fd00:96::/112", "10.0.0.1", 'service IP family "fd00:96::/112" must match public address family "10.0.0.1"'],
  [
    "10.96.0.0/16,fd00:96::/112",
    "fd00::1",
    'service IP family "10.96.0.0/16" must match public address family "fd00::1"',
  ],
  ["10.96.0.0/16,10.97.0.0/16", "10.0.0.1", "10.96.0.0/16,10.97.0.0/16 has more than one block of a family"],
])("a cluster of services at %s is not reached by %s", async (serviceCidr, advertiseAddress, why) => {
  const started = startCluster({ store: new MemoryStore(), serviceCidr, advertiseAddress });
  await expect(started).rejects.toThrow(new RangeError(why));
});
