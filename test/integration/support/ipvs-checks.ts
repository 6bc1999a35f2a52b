import { type ProxyCheck, proxyChecks } from "../../../src/testing/proxy-checks.js";

/** A guest is slow: over IPv6 what its addresses and sets are looked at for, not what is the same servers and rules again. */
export function checksOf(family: 4 | 6): readonly ProxyCheck[] {
  const over6 = /^(a cluster IP|a node port|a load balancer|damage|a disposed)/;
  return family === 4 ? proxyChecks : proxyChecks.filter(({ name }) => over6.test(name));
}
