import { scenarios } from "./scenario/all.js";
import { memory } from "./scenario/memory.js";
import { describeScenarios } from "./scenario/scenario.js";
import { startRealCluster } from "./support/cluster-real.js";

describeScenarios("the real cluster", () => startRealCluster(), [...scenarios, memory]);
