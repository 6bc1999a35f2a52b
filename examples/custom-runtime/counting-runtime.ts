import { FakeRuntime } from "coxswain/runtime";

/** A runtime that remembers how often each image was started: enough to see what a workload does to a node. */
export class CountingRuntime extends FakeRuntime {
  readonly starts: Map<string, number> = new Map();

  override async startContainer(containerId: string): Promise<void> {
    await super.startContainer(containerId);
    const { image } = await this.containerStatus(containerId);
    this.starts.set(image, (this.starts.get(image) ?? 0) + 1);
  }
}
