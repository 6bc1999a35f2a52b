import { memory } from "./memory.js";
import type { Row } from "./rows.js";

export const run = (): Promise<readonly Row[]> => memory("memory-10k", 10_000);
