import type { PodInfo } from "../cache/pod-info.js";
import type { Nominations } from "../engine/surroundings.js";

const none: readonly PodInfo[] = [];

/** Which pods were promised room on which nodes. */
export class Nominator implements Nominations {
  readonly #byNode = new Map<string, PodInfo[]>();
  readonly #nodeOf = new Map<string, string>();
  readonly #onChange: (nodeName: string) => void;

  constructor(onChange: (nodeName: string) => void) {
    this.#onChange = onChange;
  }

  get size(): number {
    return this.#nodeOf.size;
  }

  get nodeNames(): Iterable<string> {
    return this.#byNode.keys();
  }

  on(nodeName: string): readonly PodInfo[] {
    return this.#byNode.get(nodeName) ?? none;
  }

  nodeOf(uid: string): string | undefined {
    return this.#nodeOf.get(uid);
  }

  /** Replaces an earlier promise to the pod. */
  add(pod: PodInfo, nodeName: string): void {
    this.delete(pod.uid);
    this.#nodeOf.set(pod.uid, nodeName);
    const pods = this.#byNode.get(nodeName);
    if (pods === undefined) this.#byNode.set(nodeName, [pod]);
    else pods.push(pod);
    this.#onChange(nodeName);
  }

  delete(uid: string): void {
    const nodeName = this.#nodeOf.get(uid);
    if (nodeName === undefined) return;
    this.#nodeOf.delete(uid);
    const left = (this.#byNode.get(nodeName) ?? []).filter((pod) => pod.uid !== uid);
    if (left.length === 0) this.#byNode.delete(nodeName);
    else this.#byNode.set(nodeName, left);
    this.#onChange(nodeName);
  }
}
