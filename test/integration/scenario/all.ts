import { access } from "./access.js";
import { lifecycle } from "./lifecycle.js";
import { draining, dyingNodes } from "./nodes.js";
import { resizing } from "./resizing.js";
import type { Scenario } from "./scenario.js";
import { services } from "./services.js";
import { streams } from "./streams.js";
import { volumes } from "./volumes.js";
import { workloads } from "./workloads.js";

/** What every cluster must do with kubectl, in this order. */
export const scenarios: readonly Scenario[] = [
  workloads,
  streams,
  access,
  services,
  lifecycle,
  resizing,
  volumes,
  draining,
  dyingNodes,
];
