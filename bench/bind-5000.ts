import { bindRate } from "./bind.js";
import type { Row } from "./rows.js";

export const run = (): Promise<readonly Row[]> => bindRate("bind-5000", 5000);
