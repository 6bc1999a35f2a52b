import { isStatusError, type Pod, type PodStatus, pods } from "../../api/index.js";
import type { Client } from "../../client/index.js";
import { type Clock, sleep } from "../../internal/clock.js";
import type { Logger } from "../../internal/logger.js";
import { terminationByKubelet } from "./pod-status.js";

interface Entry {
  /** What the API is known to have; undefined for a static pod without its mirror. */
  pod: Pod | undefined;
  wanted: PodStatus | undefined;
  writing: Promise<void> | undefined;
  dropped: boolean;
}

const firstRetryMs = 200;
const maxRetryMs = 10_000;

/**
 * Brings pods' statuses to the API: one write at a time for each pod, of the newest status, only what differs. A failed write is
 * repeated until it is overtaken, the pod is gone, or the agent stops.
 */
export class StatusWriter {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #signal: AbortSignal;
  readonly #entries = new Map<string, Entry>();
  readonly #mirrors = new Map<string, Pod | undefined>();

  constructor(options: {
    readonly client: Client;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly signal: AbortSignal;
  }) {
    this.#client = options.client;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#signal = options.signal;
  }

  /** A version of the pod came from the API; a status that somebody else changed is set right. */
  observe(pod: Pod): void {
    const entry = this.#entries.get(pod.metadata.uid);
    if (entry?.pod === undefined || !newer(pod, entry.pod)) return;
    entry.pod = pod;
    if (entry.wanted !== undefined) this.#start(entry);
  }

  report(pod: Pod, status: PodStatus): void {
    const { uid } = pod.metadata;
    let entry = this.#entries.get(uid);
    if (entry === undefined) {
      const known = this.#mirrors.has(uid) ? this.#mirrors.get(uid) : pod;
      entry = { pod: known, wanted: undefined, writing: undefined, dropped: false };
      this.#entries.set(uid, entry);
    }
    entry.wanted = status;
    this.#start(entry);
  }

  /** The statuses of that static pod go to this object of the API; undefined: it has none at the moment. */
  mirror(podUid: string, mirror: Pod | undefined): void {
    this.#mirrors.set(podUid, mirror);
    const entry = this.#entries.get(podUid);
    if (entry === undefined) return;
    const stale = mirror !== undefined && entry.pod?.metadata.uid === mirror.metadata.uid && !newer(mirror, entry.pod);
    if (!stale) entry.pod = mirror;
    this.#start(entry);
  }

  /** Resolves when what was last reported is in the API, or will never be. */
  async flush(podUid: string): Promise<void> {
    for (;;) {
      const writing = this.#entries.get(podUid)?.writing;
      if (writing === undefined) return;
      await writing;
    }
  }

  forget(podUid: string): void {
    this.#mirrors.delete(podUid);
    const entry = this.#entries.get(podUid);
    if (entry === undefined) return;
    entry.dropped = true;
    entry.wanted = undefined;
    this.#entries.delete(podUid);
  }

  #start(entry: Entry): void {
    if (entry.writing !== undefined || this.#signal.aborted) return;
    if (
      entry.wanted === undefined ||
      entry.pod === undefined ||
      statusPatch(entry.pod.status, entry.wanted) === undefined
    )
      return;
    entry.writing = this.#write(entry).finally(() => {
      entry.writing = undefined;
    });
  }

  async #write(entry: Entry): Promise<void> {
    let retryMs = firstRetryMs;
    while (!entry.dropped && !this.#signal.aborted && entry.wanted !== undefined) {
      const before = entry.pod;
      const patch = before === undefined ? undefined : statusPatch(before.status, entry.wanted);
      if (before === undefined || patch === undefined) return;
      const { namespace, name, uid } = before.metadata;
      try {
        const written = await this.#client.patch(
          pods,
          { namespace, name },
          { type: "strategic", body: { metadata: { uid }, status: patch } },
          { subresource: "status", signal: this.#signal },
        );
        retryMs = firstRetryMs;
        if (written === undefined) return;
        // An answer that still differs would be written forever.
        const stuck = before.metadata.resourceVersion === written.metadata.resourceVersion;
        entry.pod = written;
        if (stuck) return;
      } catch (error) {
        if (this.#signal.aborted) return;
        if (isStatusError(error, "NotFound") || isStatusError(error, "Conflict") || isStatusError(error, "Invalid")) {
          const gone = isStatusError(error, "NotFound") || isStatusError(error, "Conflict");
          if (!gone)
            this.#logger.error("the API server refuses a pod's status", { pod: `${namespace}/${name}`, error });
          return;
        }
        this.#logger.warn("cannot write a pod's status", { pod: `${namespace}/${name}`, error });
        await sleep(this.#clock, retryMs, this.#signal);
        retryMs = Math.min(retryMs * 2, maxRetryMs);
      }
    }
  }
}

function newer(pod: Pod, than: Pod): boolean {
  return Number(pod.metadata.resourceVersion) > Number(than.metadata.resourceVersion);
}

const ownKeys: readonly (keyof PodStatus)[] = [
  "phase",
  "conditions",
  "reason",
  "message",
  "hostIP",
  "hostIPs",
  "podIP",
  "podIPs",
  "startTime",
  "containerStatuses",
  "initContainerStatuses",
  "ephemeralContainerStatuses",
  "observedGeneration",
  "allocatedResources",
  "resources",
];

/** The strategic merge patch of the fields that a node owns; undefined when nothing differs. */
function statusPatch(from: PodStatus | undefined, to: PodStatus): Record<string, unknown> | undefined {
  let patch: Record<string, unknown> | undefined;
  for (const key of ownKeys) {
    const [old, now] = key === "conditions" ? conditionsOf(from, to) : [from?.[key], to[key]];
    if (deepEqual(old, now)) continue;
    // startTime is set once and kept by the API.
    if (now === undefined && key === "startTime") continue;
    patch ??= {};
    patch[key] = key === "conditions" ? conditionsPatch(from?.conditions ?? [], to.conditions ?? []) : (now ?? null);
    // Lists merged by key need to be told which members are gone.
    if ((key === "podIPs" || key === "hostIPs") && Array.isArray(old) && old.length > 0 && Array.isArray(now)) {
      const kept = new Set(now.map((entry) => JSON.stringify(entry)));
      const removed = old.filter((entry) => !kept.has(JSON.stringify(entry)));
      if (removed.length > 0)
        patch[key] = [...now, ...removed.map((entry) => ({ ...Object(entry), $patch: "delete" }))];
    }
  }
  return patch;
}

type Conditions = NonNullable<PodStatus["conditions"]>;

/** Conditions are merged by type, so a field that is gone has to be taken away, and so has a condition. Those of others stay. */
function conditionsPatch(old: Conditions, now: Conditions): readonly object[] {
  const before = new Map(old.map((condition) => [condition.type, condition]));
  const changed = now.map((condition) => {
    const gone = Object.keys(before.get(condition.type) ?? {}).filter((field) => !Object.hasOwn(condition, field));
    return { ...Object.fromEntries(gone.map((field) => [field, null])), ...condition };
  });
  const kept = new Set(now.map(({ type }) => type));
  const removed = old.filter(({ type }) => !kept.has(type)).map(({ type }) => ({ type, $patch: "delete" }));
  return [...changed, ...removed];
}

const ownConditions: ReadonlySet<string> = new Set([
  "PodReadyToStartContainers",
  "Initialized",
  "Ready",
  "ContainersReady",
  "PodScheduled",
  "PodResizePending",
  "PodResizeInProgress",
]);

/** The conditions there and those wanted: ours as they are to be, those of others as they are. */
function conditionsOf(
  from: PodStatus | undefined,
  to: PodStatus,
): readonly [PodStatus["conditions"], PodStatus["conditions"]] {
  const there = from?.conditions ?? [];
  const disrupted = to.conditions?.some(({ reason }) => reason === terminationByKubelet);
  const isOwn = ({ type }: { readonly type: string }): boolean =>
    ownConditions.has(type) || (type === "DisruptionTarget" && disrupted === true);
  const others = there.filter((one) => !isOwn(one));
  const own = (to.conditions ?? []).filter(isOwn);
  const wanted = own.flatMap(({ type }) => there.find((condition) => condition.type === type) ?? []);
  const ownThere = [...wanted, ...there.filter((one) => isOwn(one) && !wanted.includes(one))];
  return [
    [...ownThere, ...others],
    [...own, ...others],
  ];
}

export function deepEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, index) => deepEqual(item, b[index]));
  }
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  const keys = Object.keys(left).filter((key) => left[key] !== undefined);
  if (keys.length !== Object.keys(right).filter((key) => right[key] !== undefined).length) return false;
  return keys.every((key) => Object.hasOwn(right, key) && deepEqual(left[key], right[key]));
}
