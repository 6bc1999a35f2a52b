import { flowSchemas, priorityLevelConfigurations, type ResourceType } from "../../api/index.js";
import type { Component, ComponentContext } from "../../internal/component.js";
import { defaultInFlightLimits, type InFlightLimits } from "../http/in-flight.js";
import type { PathRoute } from "../http/routes.js";
import type { ApiServer } from "../server.js";
import { ApiFlowControl, type FlowConfig } from "./api-flow-control.js";
import { DanglingConditions } from "./dangling.js";
import { flowControlDumps } from "./dump.js";
import type { SizeOf } from "./work-estimate.js";

/** Flow control as a server has it: by its own objects, whose status it keeps. */
export class ServerFlowControl implements Component {
  readonly name = "flow-control";
  readonly flowControl: ApiFlowControl;
  readonly route: PathRoute;
  readonly #parts: readonly Component[];

  constructor(server: ApiServer, seats: number) {
    const { clock } = server;
    this.flowControl = new ApiFlowControl({ config: configOf(server), seats, sizeOf: sizesOf(server), clock });
    this.route = flowControlDumps(this.flowControl);
    this.#parts = [this.flowControl, new DanglingConditions(server)];
  }

  async run({ signal, ready }: ComponentContext): Promise<void> {
    ready();
    await Promise.all(this.#parts.map((part) => part.run({ signal, ready: () => {} })));
  }
}

/** Absent where the server lacks the objects, or limits nothing. */
export function serverFlowControl(
  server: ApiServer,
  { reads, writes }: InFlightLimits = defaultInFlightLimits,
): ServerFlowControl | undefined {
  const complete = [flowSchemas, priorityLevelConfigurations].every((type) => isServed(server, type));
  return complete && reads + writes > 0 ? new ServerFlowControl(server, reads + writes) : undefined;
}

function isServed(server: ApiServer, { group, version, resource }: ResourceType): boolean {
  return server.lookup(group, version, resource) !== undefined;
}

function configOf(server: ApiServer): FlowConfig {
  // Asked for every request: the caches of built-in resources stay the same.
  const schemas = server.endpointFor(flowSchemas).cache;
  const levels = server.endpointFor(priorityLevelConfigurations).cache;
  const { cacheReader } = server;
  return {
    generation: () => schemas.generation + levels.generation,
    schemas: () => cacheReader.list(flowSchemas),
    levels: () => cacheReader.list(priorityLevelConfigurations),
  };
}

function sizesOf(server: ApiServer): SizeOf {
  return ({ group, version, resource }) => {
    if (server.lookup(group, version, resource) === undefined) return undefined;
    const { size, sizeBytes } = server.endpointFor({ group, version, resource }).cache;
    return { objects: size, bytes: sizeBytes };
  };
}
