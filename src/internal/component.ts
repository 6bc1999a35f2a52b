/**
 * A part with a lifetime: started in the order of its dependencies, stopped in the reverse one.
 *
 * `run` resolves when the part has stopped for good; it must resolve (not reject) after `signal` aborts, once its
 * sockets, timers and children are gone. It calls `ready` once, when dependants may start. A rejection is fatal to the
 * whole composition.
 */
export interface Component {
  readonly name: string;
  readonly dependencies?: readonly string[];
  run(context: ComponentContext): Promise<void>;
}

export interface ComponentContext {
  readonly signal: AbortSignal;
  ready(): void;
}
