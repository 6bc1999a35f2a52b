import type { Transport } from "../api/index.js";
import { bootstrapRbac } from "../apiserver/authz/reconcile.js";
import { ensureFlowControl } from "../apiserver/bootstrap/flow-control.js";
import {
  ensureKubernetesService,
  ensureNamespaces,
  ensurePriorityClasses,
  type KubernetesServiceOptions,
} from "../apiserver/bootstrap/system-objects.js";
import { createClient } from "../client/index.js";
import { createManager } from "../controllers/manager.js";
import { ipAddressRepair } from "../controllers/servicecidr/address-repair.js";
import { defaultServiceCidr } from "../controllers/servicecidr/default-servicecidr.js";
import type { Clock } from "../internal/clock.js";
import type { Component } from "../internal/component.js";
import type { Logger } from "../internal/logger.js";
import type { Random } from "../internal/random.js";

/**
 * Writes what every cluster has before anybody uses it; other parts depend on it, so that they find it. Then keeps what is the API
 * server's own to keep: the ServiceCIDR of its range, and the addresses of Services.
 */
export function bootstrapPart(
  transport: Transport,
  kubernetesService: () => KubernetesServiceOptions,
  shared: { readonly clock: Clock; readonly random: Random; readonly logger: Logger },
): Component {
  return {
    name: "system-objects",
    dependencies: ["apiserver"],
    async run({ signal, ready }) {
      const client = createClient(transport);
      const service = kubernetesService();
      await ensureNamespaces(transport);
      await Promise.all([
        ensurePriorityClasses(transport),
        ensureFlowControl(transport),
        bootstrapRbac(client),
        ensureKubernetesService(transport, service),
      ]);
      ready();
      const controllers = [defaultServiceCidr(service.serviceCidrs), ipAddressRepair];
      await createManager({ ...shared, client, controllers }).run({ signal, ready: () => {} });
    },
  };
}
