import { scenarios } from "./scenario/all.js";
import { describeScenarios } from "./scenario/scenario.js";
import { startEmbeddedCluster } from "./support/cluster.js";

describeScenarios("the embedded cluster", () => startEmbeddedCluster(["node-1", "node-2"]), scenarios);
