import type { Node } from "../../api/index.js";
import type { Client } from "../../client/index.js";
import type { Clock } from "../../internal/clock.js";
import type { Logger } from "../../internal/logger.js";
import type { Runtime } from "../../runtime/index.js";
import type { NodeUsageSource } from "../eviction/usage.js";
import type { PodRecord } from "../pod/pod-record.js";
import type { Count } from "../upkeep.js";
import type { NodeServerOptions } from "./options.js";

export interface NodeServerContext extends NodeServerOptions {
  readonly client: Client;
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly nodeName: string;
  /** Served below `/logs/`. */
  readonly logRoot: string | undefined;
  readonly records: () => readonly PodRecord[];
  readonly node: () => Node | undefined;
  /** What is counted, under upstream's names. */
  readonly counts: () => readonly Count[];
  /** What the node uses; undefined: nobody knows. */
  readonly usage: () => NodeUsageSource | undefined;
  /** Ends what the server reads. */
  readonly signal: AbortSignal;
}
