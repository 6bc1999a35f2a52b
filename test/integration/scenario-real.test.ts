import { scenarios } from "./scenario/all.js";
import { kernel } from "./scenario/kernel.js";
import { describeScenarios } from "./scenario/scenario.js";
import { startRealCluster } from "./support/cluster-real.js";

describeScenarios("the real cluster", () => startRealCluster(), [...scenarios, kernel]);
