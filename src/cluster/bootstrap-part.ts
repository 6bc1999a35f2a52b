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
import type { Clock } from "../internal/clock.js";
import type { Component } from "../internal/component.js";

/** Writes what every cluster has before anybody uses it; other parts depend on it, so that they find it. */
export function bootstrapPart(
  transport: Transport,
  kubernetesService: () => KubernetesServiceOptions,
  clock: Clock,
): Component {
  return {
    name: "system-objects",
    dependencies: ["apiserver"],
    async run({ signal, ready }) {
      await ensureNamespaces(transport);
      await Promise.all([
        ensurePriorityClasses(transport),
        ensureFlowControl(transport, clock),
        bootstrapRbac(createClient(transport)),
        ensureKubernetesService(transport, kubernetesService()),
      ]);
      ready();
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener("abort", () => resolve(), { once: true });
      });
    },
  };
}
