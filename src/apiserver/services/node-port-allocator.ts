import { type Random, randomInt } from "../../internal/random.js";
import { type Store, StoreError } from "../../store/index.js";

export interface PortRange {
  readonly from: number;
  /** Inclusive. */
  readonly to: number;
}

const maxAttempts = 64;

/**
 * Which node ports are taken, as one bitmap object in the store where upstream has it too (`ranges/servicenodeports`), so that
 * several API servers never give out the same port.
 */
export class NodePortAllocator {
  readonly range: PortRange;
  readonly #store: Store;
  readonly #key: string;
  readonly #random: Random;

  constructor(store: Store, root: string, range: PortRange, random: Random) {
    this.#store = store;
    this.#key = `${root}/ranges/servicenodeports`;
    this.range = range;
    this.#random = random;
  }

  contains(port: number): boolean {
    return port >= this.range.from && port <= this.range.to;
  }

  /** Takes exactly this port, or in a dry run only looks whether it could; false when it is taken. It must be in the range. */
  async take(port: number, dryRun = false): Promise<boolean> {
    let taken = false;
    await this.#change((ports) => {
      taken = !ports.has(port);
      ports.add(port);
    }, dryRun);
    return taken;
  }

  /** Takes any free port; undefined when there is none. */
  async takeAny(dryRun = false): Promise<number | undefined> {
    let found: number | undefined;
    await this.#change((ports) => {
      found = this.#free(ports);
      if (found !== undefined) ports.add(found);
    }, dryRun);
    return found;
  }

  async release(released: readonly number[]): Promise<void> {
    if (released.length === 0) return;
    await this.#change((ports) => {
      for (const port of released) ports.delete(port);
    });
  }

  /** Makes the record say exactly this. */
  async reset(taken: Iterable<number>): Promise<void> {
    const exact = new Set([...taken].filter((port) => this.contains(port)));
    await this.#change((ports) => {
      for (const port of [...ports]) if (!exact.has(port)) ports.delete(port);
      for (const port of exact) ports.add(port);
    });
  }

  /** From the upper part of the range while there is room there. */
  #free(ports: ReadonlySet<number>): number | undefined {
    const size = this.range.to - this.range.from + 1;
    const band = staticBand(size);
    return this.#freeIn(ports, this.range.from + band, size - band) ?? this.#freeIn(ports, this.range.from, band);
  }

  #freeIn(ports: ReadonlySet<number>, from: number, size: number): number | undefined {
    if (size === 0) return undefined;
    const start = randomInt(this.#random, size);
    for (let step = 0; step < size; step++) {
      const port = from + ((start + step) % size);
      if (!ports.has(port)) return port;
    }
    return undefined;
  }

  async #change(mutate: (ports: Set<number>) => void, dryRun = false): Promise<void> {
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const entry = await this.#store.get(this.#key);
      const ports = entry === undefined ? new Set<number>() : decode(entry.value, this.range);
      const before = ports.size;
      const known = [...ports];
      mutate(ports);
      if (dryRun) return;
      if (entry !== undefined && ports.size === before && known.every((port) => ports.has(port))) return;
      const value = encode(ports, this.range);
      try {
        if (entry === undefined) await this.#store.create(this.#key, value);
        else await this.#store.update(this.#key, value, entry.revision);
        return;
      } catch (error) {
        if (!(error instanceof StoreError) || !["exists", "conflict", "not-found"].includes(error.code)) throw error;
      }
    }
    throw new StoreError("unavailable", `${this.#key} is written to too often`);
  }
}

/**
 * How many ports at the lower end are left to people who choose one: a 32nd of the range, 16 at least and 128 at most, and none of a range that
 * is no larger than that. See "Avoiding Collisions in Assigning Ports to NodePort Services".
 */
function staticBand(size: number): number {
  return size <= 16 ? 0 : Math.min(128, Math.max(16, Math.floor(size / 32)));
}

/** A RangeAllocation: bit i of the big-endian number in `data` is port from + i. */
function encode(ports: ReadonlySet<number>, range: PortRange): Buffer {
  const bytes = Buffer.alloc(Math.ceil((range.to - range.from + 1) / 8));
  for (const port of ports) {
    const bit = port - range.from;
    const at = bytes.length - 1 - (bit >> 3);
    bytes[at] = (bytes[at] ?? 0) | (1 << (bit & 7));
  }
  const object = {
    kind: "RangeAllocation",
    apiVersion: "v1",
    metadata: { creationTimestamp: null },
    range: `${range.from}-${range.to}`,
    data: bytes.toString("base64"),
  };
  return Buffer.from(JSON.stringify(object));
}

function decode(value: Buffer, range: PortRange): Set<number> {
  const { data } = JSON.parse(value.toString()) as { readonly data?: string };
  const bytes = Buffer.from(data ?? "", "base64");
  const ports = new Set<number>();
  for (let at = 0; at < bytes.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      if (((bytes[bytes.length - 1 - at] ?? 0) >> bit) & 1) ports.add(range.from + at * 8 + bit);
    }
  }
  return ports;
}
