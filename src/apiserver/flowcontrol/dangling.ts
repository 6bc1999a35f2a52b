import { type FlowSchema, flowSchemas, isStatusError, priorityLevelConfigurations } from "../../api/index.js";
import { timestamp } from "../../internal/clock.js";
import type { Component, ComponentContext } from "../../internal/component.js";
import { followCache } from "../aggregation/cache-changes.js";
import { RepeatedWork } from "../aggregation/repeated-work.js";
import type { ApiServer } from "../server.js";
import { levelSettings } from "./priority-level.js";

/** As whom the conditions are managed, as upstream. */
const fieldManager = "api-priority-and-fairness-config-consumer-v1";

interface Condition {
  readonly type: "Dangling";
  readonly status: "True" | "False";
  readonly reason: "NotFound" | "Found";
  readonly message: string;
}

const retryMs = 1_000;

/** Keeps the condition Dangling of FlowSchemas: whether the priority level that they refer to is missing. */
export class DanglingConditions implements Component {
  readonly name = "flow-schema-status";
  readonly #server: ApiServer;

  constructor(server: ApiServer) {
    this.#server = server;
  }

  async run({ signal, ready }: ComponentContext): Promise<void> {
    const { clock, logger } = this.#server;
    const work = new RepeatedWork({
      clock,
      work: async () => {
        try {
          await this.#checkAll();
          return undefined;
        } catch (error) {
          logger.warn("the status of FlowSchemas could not be written", { error });
          return retryMs;
        }
      },
    });
    const ask = (): void => work.ask("all");
    ready();
    try {
      await Promise.all([
        followCache(this.#server, flowSchemas, signal, ask),
        followCache(this.#server, priorityLevelConfigurations, signal, ask),
      ]);
    } finally {
      await work.stop();
    }
  }

  /** All of them: they are few, and change seldom. */
  async #checkAll(): Promise<void> {
    const { cacheReader } = this.#server;
    const levels = new Set<string>();
    for (const level of cacheReader.list(priorityLevelConfigurations)) {
      if (levelSettings(level) !== undefined) levels.add(level.metadata.name);
    }
    for (const schema of cacheReader.list(flowSchemas)) {
      const wanted = conditionOf(schema, levels);
      if (!has(schema, wanted)) await this.#write(schema.metadata.name, wanted);
    }
  }

  async #write(name: string, condition: Condition): Promise<void> {
    const { group, version, resource } = flowSchemas;
    const written = { ...condition, lastTransitionTime: timestamp(this.#server.clock) };
    const apiVersion = `${group}/${version}`;
    try {
      await this.#server.transport().request({
        group,
        version,
        resource,
        verb: "patch",
        name,
        subresource: "status",
        patchType: "apply",
        options: { fieldManager, force: true },
        body: { apiVersion, kind: "FlowSchema", metadata: { name }, status: { conditions: [written] } },
      });
    } catch (error) {
      // An apply of what is gone would make it anew, which a status cannot: either way it needs none.
      if (!isStatusError(error, "NotFound")) throw error;
    }
  }
}

function conditionOf({ spec }: FlowSchema, levels: ReadonlySet<string>): Condition {
  const name = spec?.priorityLevelConfiguration.name ?? "";
  const found = levels.has(name);
  const start = `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(name)}`;
  return {
    type: "Dangling",
    status: found ? "False" : "True",
    reason: found ? "Found" : "NotFound",
    message: found ? `${start} and it exists` : `${start} but there is no such object`,
  };
}

function has({ status }: FlowSchema, { type, ...wanted }: Condition): boolean {
  const found = status?.conditions?.find((condition) => condition.type === type);
  return found?.status === wanted.status && found.reason === wanted.reason && found.message === wanted.message;
}
