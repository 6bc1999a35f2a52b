import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Logger } from "../../internal/logger.js";
import type { ClaimReference, PreparedDevice } from "./plugin.js";

/** A claim that was prepared on this node, or is about to be. */
export interface PreparedClaim extends ClaimReference {
  /** Who uses it here. */
  readonly podUids: Set<string>;
  /** All drivers that have devices in its allocation, and what each made ready. */
  readonly drivers: Map<string, readonly PreparedDevice[]>;
  /** By all its drivers, while this agent ran: what was prepared before may have gone with the machine's last start. */
  prepared: boolean;
}

interface Saved {
  readonly claims: readonly (ClaimReference & {
    readonly podUids: readonly string[];
    readonly drivers: Readonly<Record<string, readonly PreparedDevice[]>>;
  })[];
}

/**
 * The claims that are used on this node, kept in a file that outlives the agent. Changes are there at once, and on disk when `save`
 * has resolved.
 */
export class PreparedClaims {
  readonly #path: string;
  readonly #claims = new Map<string, PreparedClaim>();
  /** Files do not overtake each other. */
  #saving: Promise<void> = Promise.resolve();

  private constructor(path: string, claims: Iterable<PreparedClaim>) {
    this.#path = path;
    for (const claim of claims) this.add(claim);
  }

  /** A file that is missing is empty; so is one that cannot be read, after a warning. */
  static async open(path: string, logger: Logger): Promise<PreparedClaims> {
    try {
      return new PreparedClaims(path, parse(await readFile(path, "utf8")));
    } catch (error) {
      const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
      if (!missing) logger.warn("the checkpoint of resource claims cannot be read", { path, error });
      return new PreparedClaims(path, []);
    }
  }

  get(namespace: string, name: string): PreparedClaim | undefined {
    return this.#claims.get(`${namespace}/${name}`);
  }

  add(claim: PreparedClaim): void {
    this.#claims.set(`${claim.namespace}/${claim.name}`, claim);
  }

  delete({ namespace, name }: ClaimReference): void {
    this.#claims.delete(`${namespace}/${name}`);
  }

  of(podUid: string): readonly PreparedClaim[] {
    return [...this.#claims.values()].filter(({ podUids }) => podUids.has(podUid));
  }

  /** UIDs of all pods that use some claim. */
  podUids(): ReadonlySet<string> {
    return new Set([...this.#claims.values()].flatMap(({ podUids }) => [...podUids]));
  }

  save(): Promise<void> {
    this.#saving = this.#saving.catch(() => {}).then(() => this.#write());
    return this.#saving;
  }

  async #write(): Promise<void> {
    const claims = [...this.#claims.values()].map(({ namespace, uid, name, podUids, drivers }) => ({
      ...{ namespace, uid, name },
      podUids: [...podUids],
      drivers: Object.fromEntries(drivers),
    }));
    const saved: Saved = { claims };
    await mkdir(dirname(this.#path), { recursive: true });
    await writeFile(`${this.#path}.tmp`, JSON.stringify(saved), { mode: 0o600 });
    await rename(`${this.#path}.tmp`, this.#path);
  }
}

function parse(text: string): readonly PreparedClaim[] {
  return (JSON.parse(text) as Saved).claims.map(({ podUids, drivers, ...claim }) => ({
    ...claim,
    podUids: new Set(podUids),
    drivers: new Map(Object.entries(drivers)),
    prepared: false,
  }));
}
