/** The value of one label over all nodes, as small integers: how nodes are grouped into topology domains. */
export class LabelColumn {
  readonly key: string;
  /** By slot; -1 where the node lacks the label. */
  values: Int32Array;
  /** The slots that have each value, in no order. */
  readonly members: number[][] = [];
  /** How many values have at least one node. */
  liveValues = 0;
  readonly #ids = new Map<string, number>();
  readonly #names: string[] = [];
  readonly #free: number[] = [];

  constructor(key: string, capacity: number) {
    this.key = key;
    this.values = new Int32Array(capacity).fill(-1);
  }

  grow(capacity: number): void {
    const values = new Int32Array(capacity).fill(-1);
    values.set(this.values);
    this.values = values;
  }

  /** Sets or, with `undefined`, clears. */
  set(slot: number, value: string | undefined): void {
    const old = this.values[slot] ?? -1;
    const id = value === undefined ? -1 : this.#id(value);
    if (old === id) return;
    if (old >= 0) {
      const members = this.members[old] ?? [];
      const at = members.indexOf(slot);
      const last = members.pop();
      if (last !== undefined && at < members.length) members[at] = last;
      if (members.length === 0) this.#retire(old);
    }
    if (id >= 0) {
      const members = this.members[id] ?? [];
      if (members.push(slot) === 1) this.liveValues++;
    }
    this.values[slot] = id;
  }

  /** Ids are below this. The id of a value without nodes is given to another value later. */
  get size(): number {
    return this.#names.length;
  }

  name(id: number): string {
    return this.#names[id] ?? "";
  }

  #id(value: string): number {
    const known = this.#ids.get(value);
    if (known !== undefined) return known;
    const id = this.#free.pop() ?? this.#names.length;
    this.#names[id] = value;
    this.members[id] = [];
    this.#ids.set(value, id);
    return id;
  }

  #retire(id: number): void {
    this.liveValues--;
    this.#ids.delete(this.name(id));
    this.#free.push(id);
  }
}
