import type { KubeObject, ResourceDescription, ResourceType } from "../api/index.js";
import type { Client, EventRecorder, Informer, InformerFactory, SharedInformerOptions } from "../client/index.js";
import type { Clock } from "../internal/clock.js";
import type { Logger } from "../internal/logger.js";
import type { Random } from "../internal/random.js";

/** What a controller is given. All of it may be used until `signal` aborts. */
export interface ControllerContext {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly events: EventRecorder;
  readonly informers: InformerFactory;
  /** The shared local copy of a resource. One asked for during setup is synced before the controller runs. */
  informer<T extends KubeObject>(resource: ResourceType<T>, options?: SharedInformerOptions<T>): Informer<T>;
  readonly metrics: ControllerMetrics;
  /** What the API serves now, where the API server is in the same process and says so. */
  readonly served?: (() => readonly ResourceDescription[]) | undefined;
}

/** Hooks for whoever counts. */
export interface ControllerMetrics {
  reconciled?(controller: string, durationMs: number, outcome: "success" | "error" | "requeue"): void;
}

/** A controller at work. */
export interface RunningController {
  /** Nothing is queued or under way; what waits for a point in time does not count. */
  readonly idle: boolean;
  /** Works until `signal` aborts; resolves when nothing is under way any more. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * One control loop: brings the world towards what objects say. Level-triggered: it looks at what is, not at what
 * happened, so it may be stopped at any instruction and started again.
 */
export interface Controller {
  readonly name: string;
  /** Further names under which it can be chosen. */
  readonly aliases?: readonly string[];
  /** Not started by `*`, only by name. */
  readonly optIn?: boolean;
  /** Who it says it is in events; absent: its name. */
  readonly eventSource?: string;
  /** The service account in kube-system whose rights it works with; absent: one of its own name. False: the manager's own rights. */
  readonly account?: string | false;
  /** Asks for its informers and adds handlers; does no I/O. */
  setup(context: ControllerContext): RunningController;
}
