import { bindRate } from "./bind.js";
import type { Row } from "./rows.js";

export const run = (): Promise<readonly Row[]> => bindRate("bind-1000", 1000);
