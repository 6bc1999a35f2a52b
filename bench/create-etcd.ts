import { pods } from "coxswain/api";
import { startControlPlane } from "coxswain/cluster";
import { EtcdStore } from "coxswain/store/etcd";
import { startEtcd } from "../test/integration/support/etcd.js";
import { benchPod } from "./pods.js";
import { alternate, type Row, rate } from "./rows.js";

const count = 1000;
const inFlight = 100;

/** Creates a second through a control plane on etcd with 100 in flight, against raw puts of as many bytes through the same client. */
export async function run(): Promise<readonly Row[]> {
  const etcd = await startEtcd();
  const store = new EtcdStore({ endpoints: [etcd.endpoint] });
  const cp = await startControlPlane({ store, controllers: [] });
  const value = Buffer.alloc(3000, "x");
  let next = 0;
  const pace = async (work: (at: number) => Promise<unknown>): Promise<number> => {
    const began = performance.now();
    const end = next + count;
    const worker = async (): Promise<void> => {
      while (next < end) await work(next++);
    };
    await Promise.all(Array.from({ length: inFlight }, worker));
    return (count * 1000) / (performance.now() - began);
  };
  try {
    const measured = await alternate(
      5,
      () => pace((at) => cp.client.create(pods, benchPod(at))),
      () => pace((at) => store.create(`/bench/${at}`, value)),
    );
    return [rate("create-etcd", measured.ours, "creates/s", measured.bare)];
  } finally {
    await cp.stop();
    await store[Symbol.asyncDispose]();
    await etcd[Symbol.asyncDispose]();
  }
}
