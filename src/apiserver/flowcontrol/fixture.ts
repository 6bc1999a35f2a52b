import type { FlowSchema, New, PriorityLevelConfiguration, UserInfo } from "../../api/index.js";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { bootstrapLevels, bootstrapSchemas } from "../bootstrap/flow-control.js";
import { wantsWatch } from "../http/query.js";
import { parseRequestInfo, splitTarget } from "../http/request-info.js";
import { ApiFlowControl, type ApiFlowControlOptions } from "./api-flow-control.js";
import type { FlowRequest } from "./flow-control.js";

type Level = New<PriorityLevelConfiguration>;

export interface Configured {
  readonly control: ApiFlowControl;
  readonly clock: VirtualClock;
  /** Replaces the objects. */
  set(objects: { readonly schemas?: readonly New<FlowSchema>[]; readonly levels?: readonly Level[] }): void;
}

/** Flow control on a virtual clock; of upstream's objects, where none are given. */
export function configured(
  options: {
    readonly schemas?: readonly New<FlowSchema>[];
    readonly levels?: readonly Level[];
    readonly seats?: number;
    readonly sizeOf?: ApiFlowControlOptions["sizeOf"];
    readonly clock?: VirtualClock;
  } = {},
): Configured {
  const clock = options.clock ?? new VirtualClock();
  let generation = 1;
  let schemas = options.schemas ?? bootstrapSchemas;
  let levels = options.levels ?? bootstrapLevels;
  const control = new ApiFlowControl({
    config: {
      generation: () => generation,
      schemas: () => schemas as readonly FlowSchema[],
      levels: () => levels as readonly PriorityLevelConfiguration[],
    },
    seats: options.seats ?? 600,
    sizeOf: options.sizeOf ?? (() => undefined),
    clock,
  });
  return {
    control,
    clock,
    set(objects) {
      generation++;
      schemas = objects.schemas ?? schemas;
      levels = objects.levels ?? levels;
    },
  };
}

/** Refers to `global-default` where the spec says nothing else. */
export function schemaNamed(name: string, spec: FlowSchema["spec"]): New<FlowSchema> {
  return {
    apiVersion: "flowcontrol.apiserver.k8s.io/v1",
    kind: "FlowSchema",
    metadata: { name, uid: `schema-${name}` },
    spec: { ...spec, priorityLevelConfiguration: spec?.priorityLevelConfiguration ?? { name: "global-default" } },
  };
}

/** Of so many queues with a hand of one; without queues what does not fit is refused. */
export function levelNamed(
  name: string,
  nominalConcurrencyShares: number,
  {
    queues,
    queueLengthLimit = 50,
    ...more
  }: { queues?: number; queueLengthLimit?: number; lendablePercent?: number; borrowingLimitPercent?: number } = {},
): Level {
  const limitResponse =
    queues === undefined ? { type: "Reject" } : { type: "Queue", queuing: { queues, handSize: 1, queueLengthLimit } };
  return {
    apiVersion: "flowcontrol.apiserver.k8s.io/v1",
    kind: "PriorityLevelConfiguration",
    metadata: { name, uid: `level-${name}` },
    spec: { type: "Limited", limited: { nominalConcurrencyShares, ...more, limitResponse } },
  };
}

export function flowRequest(method: string, target: string, user: UserInfo): FlowRequest {
  const { path, query } = splitTarget(target);
  const info = parseRequestInfo(method, path);
  const verb = info.verb === "list" && wantsWatch(query) ? "watch" : info.verb;
  return { user, info, verb, path, query, timeLeftMs: verb === "watch" ? Number.POSITIVE_INFINITY : 60_000 };
}
