import type { Node } from "../../api/index.js";
import type { Client } from "../../client/index.js";
import type { Clock } from "../../internal/clock.js";
import type { Logger } from "../../internal/logger.js";
import type { Runtime } from "../../runtime/index.js";
import type { PodRecord } from "../pod/pod-record.js";
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
  /** Upstream's names and labels of what is counted, with how often it happened. */
  readonly counts: () => ReadonlyMap<string, number>;
}
