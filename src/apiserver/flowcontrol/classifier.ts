import type { FlowSchema, UserInfo } from "../../api/index.js";
import type { FlowRequest } from "./flow-control.js";
import type { FlowSeries } from "./flow-metrics.js";
import type { PriorityLevel } from "./priority-level.js";
import { type Configured, matchesSchema } from "./schema-matcher.js";
import { dealHand, flowHash } from "./shuffle-sharding.js";

/** Requests that are alike: of one FlowSchema and with one distinguisher. */
export interface Flow {
  readonly schemaName: string;
  readonly schemaUid: string;
  readonly level: PriorityLevel;
  readonly distinguisher: string;
  /** The queues that it may wait in. */
  readonly hand: readonly number[];
  readonly series: FlowSeries;
}

/** A FlowSchema with the level that it refers to. */
export interface RankedSchema {
  readonly schema: Configured<FlowSchema>;
  readonly level: PriorityLevel;
}

interface KnownUser {
  readonly groups: readonly string[];
  readonly flows: Map<string, Flow>;
}

/** How many answers are kept; past that all are forgotten, and found again. */
const maxKnown = 8_192;
/** Of the keys that answers are kept by: strangers make them up. */
const maxKeyLength = 256;

/** In the order in which they are asked: by precedence, then by name. */
export function inMatchingOrder(schemas: readonly RankedSchema[]): readonly RankedSchema[] {
  return [...schemas].sort((a, b) => precedence(a.schema) - precedence(b.schema) || compareNames(a.schema, b.schema));
}

/**
 * Finds the flow of a request: of the first schema that matches. The schemas do not change; where one does, there is another
 * Classifier. The last schema takes what nothing matches.
 */
export class Classifier {
  readonly #schemas: readonly RankedSchema[];
  readonly #seriesOf: (schema: string, level: string) => FlowSeries;
  readonly #users = new Map<string, KnownUser>();
  #known = 0;

  /** `schemas` in matching order; at least one. */
  constructor(schemas: readonly RankedSchema[], seriesOf: (schema: string, level: string) => FlowSeries) {
    this.#schemas = schemas;
    this.#seriesOf = seriesOf;
  }

  flowOf(request: FlowRequest): Flow {
    const key = keyOf(request);
    const { user } = request;
    const known = this.#users.get(user.username);
    const fits = known !== undefined && sameGroups(known.groups, user.groups);
    const flow = fits ? known.flows.get(key) : undefined;
    if (flow !== undefined) return flow;
    const found = this.#find(request);
    if (key.length + user.username.length <= maxKeyLength) this.#keep(user, fits ? known : undefined, key, found);
    return found;
  }

  #keep(user: UserInfo, known: KnownUser | undefined, key: string, flow: Flow): void {
    if (this.#known >= maxKnown) {
      this.#users.clear();
      this.#known = 0;
    }
    this.#known++;
    if (known !== undefined && this.#users.get(user.username) === known) known.flows.set(key, flow);
    else this.#users.set(user.username, { groups: user.groups, flows: new Map([[key, flow]]) });
  }

  #find(request: FlowRequest): Flow {
    const { schema, level } = (this.#schemas.find(({ schema: one }) => matchesSchema(one, request)) ??
      this.#schemas.at(-1)) as RankedSchema;
    const { name, uid = "" } = schema.metadata;
    const { queues, handSize } = level.settings;
    const spread = queues.type === "queue" && queues.queues > 1;
    const distinguisher = spread ? distinguisherOf(schema, request) : "";
    const hand =
      queues.type !== "queue" ? [] : spread ? dealHand(flowHash(name, distinguisher), queues.queues, handSize) : [0];
    return { schemaName: name, schemaUid: uid, level, distinguisher, hand, series: this.#seriesOf(name, level.name) };
  }
}

function distinguisherOf({ spec }: RankedSchema["schema"], { user, info }: FlowRequest): string {
  const type = spec?.distinguisherMethod?.type;
  if (type === "ByUser") return user.username;
  return type === "ByNamespace" && info.type === "resource" ? info.namespace : "";
}

/** All of a request, but for its user, that rules look at. */
function keyOf({ info, verb, path }: FlowRequest): string {
  if (info.type === "path") return `${verb} ${path}`;
  return `${verb} ${info.group}/${info.resource}/${info.subresource}/${info.namespace}`;
}

function sameGroups(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((group, at) => group === b[at]));
}

function precedence({ spec }: RankedSchema["schema"]): number {
  return spec?.matchingPrecedence ?? 1000;
}

function compareNames(a: RankedSchema["schema"], b: RankedSchema["schema"]): number {
  return a.metadata.name < b.metadata.name ? -1 : a.metadata.name > b.metadata.name ? 1 : 0;
}
