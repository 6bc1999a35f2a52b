import { setMaxListeners } from "node:events";
import type { Component } from "../internal/component.js";

/** What people see while parts start: each with the time it took. */
export interface SupervisorEvents {
  readonly ready?: (name: string, durationMs: number) => void;
  readonly stopped?: (name: string) => void;
}

interface Running {
  readonly component: Component;
  readonly stop: AbortController;
  readonly ready: Promise<void>;
  readonly done: Promise<void>;
  /** How the part ended, once it has. */
  outcome: { readonly error?: unknown } | undefined;
}

/** A part ended on its own, or could not start. */
export class ComponentError extends Error {
  override readonly name = "ComponentError";
  readonly component: string;

  constructor(component: string, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.component = component;
  }
}

/**
 * Runs parts in the order of their dependencies and stops them in the reverse one. When one cannot start, those that had are
 * stopped and `start` rejects; when one ends later, `failed` settles, and everything goes on until `stop`.
 */
export class Supervisor {
  readonly #running = new Map<string, Running>();
  readonly #events: SupervisorEvents;
  readonly #now: () => number;
  #stopping: Promise<void> | undefined;
  #fail: ((error: ComponentError) => void) | undefined;
  /** Resolves with the error of the first part that ended without having been told to. */
  readonly failed: Promise<ComponentError>;

  constructor(events: SupervisorEvents = {}, now: () => number = () => performance.now()) {
    this.#events = events;
    this.#now = now;
    this.failed = new Promise((resolve) => {
      this.#fail = resolve;
    });
  }

  /** Starts parts, each as soon as what it depends on is ready. Names among `dependencies` that nobody has are an error. */
  async start(components: readonly Component[]): Promise<void> {
    const known = new Set([...this.#running.keys(), ...components.map(({ name }) => name)]);
    for (const { name, dependencies = [] } of components) {
      const missing = dependencies.find((dependency) => !known.has(dependency));
      if (missing !== undefined)
        throw new ComponentError(name, `${name} depends on ${missing}, which is not among the parts`);
    }
    const starts = new Map<string, Promise<void>>();
    const byName = new Map(components.map((component) => [component.name, component]));
    const begin = (name: string, trail: readonly string[]): Promise<void> => {
      if (trail.includes(name))
        throw new ComponentError(name, `parts depend on one another: ${[...trail, name].join(" -> ")}`);
      const component = byName.get(name);
      if (component === undefined) return Promise.resolve();
      let started = starts.get(name);
      if (started === undefined) {
        const before = (component.dependencies ?? []).map((dependency) => begin(dependency, [...trail, name]));
        started = Promise.all(before).then(() => this.#run(component));
        starts.set(name, started);
      }
      return started;
    };
    try {
      await Promise.all(components.map(({ name }) => begin(name, [])));
    } catch (error) {
      await Promise.allSettled(starts.values());
      await this.stop();
      throw error;
    }
  }

  /** Stops one part, and resolves when it is gone. Those that depend on it go on. */
  async stopOne(name: string): Promise<void> {
    const running = this.#running.get(name);
    if (running === undefined) return;
    running.stop.abort();
    await running.done;
    this.#running.delete(name);
  }

  /** Stops everything, dependants first; resolves when all is gone. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  #run(component: Component): Promise<void> {
    if (this.#stopping !== undefined) return Promise.resolve();
    const stop = new AbortController();
    // A part hands its signal to everything that it starts; many listeners are no leak.
    setMaxListeners(0, stop.signal);
    const began = this.#now();
    let isReady = false;
    let markReady: () => void = () => {};
    const ready = new Promise<void>((resolve) => {
      markReady = () => {
        if (isReady) return;
        isReady = true;
        this.#events.ready?.(component.name, this.#now() - began);
        resolve();
      };
    });
    const running: Running = { component, stop, ready, done: Promise.resolve(), outcome: undefined };
    const end = (outcome: { readonly error?: unknown }): void => {
      running.outcome = outcome;
      this.#events.stopped?.(component.name);
      if (stop.signal.aborted) return;
      this.#fail?.(ended(component.name, outcome));
    };
    const done = component.run({ signal: stop.signal, ready: markReady }).then(
      () => end({}),
      (error: unknown) => end({ error }),
    );
    this.#running.set(component.name, { ...running, done });
    return Promise.race([
      ready,
      done.then(() => {
        if (!isReady) throw ended(component.name, running.outcome ?? {});
      }),
    ]);
  }

  async #stopAll(): Promise<void> {
    const dependants = (name: string): Running[] =>
      [...this.#running.values()].filter(({ component }) => component.dependencies?.includes(name));
    const stops = new Map<string, Promise<void>>();
    const stop = (running: Running): Promise<void> => {
      const { name } = running.component;
      let stopped = stops.get(name);
      if (stopped === undefined) {
        stopped = Promise.all(dependants(name).map(stop)).then(() => {
          running.stop.abort();
          return running.done;
        });
        stops.set(name, stopped);
      }
      return stopped;
    };
    await Promise.all([...this.#running.values()].map(stop));
    this.#running.clear();
  }
}

function ended(name: string, { error }: { readonly error?: unknown }): ComponentError {
  const why = error instanceof Error ? error.message : error === undefined ? "it ended by itself" : String(error);
  return new ComponentError(name, `${name}: ${why}`, error === undefined ? {} : { cause: error });
}
