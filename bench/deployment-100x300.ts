import { deploymentReady } from "./deployments.js";
import type { Row } from "./rows.js";

export const run = (): Promise<readonly Row[]> => deploymentReady("deployment-100x300", 100, 300);
