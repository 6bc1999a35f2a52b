import { type Node, nodes } from "../../api/index.js";
import type { Controller } from "../controller.js";
import { defineStatefulController } from "../define-controller.js";

const annotation = "node.alpha.kubernetes.io/ttl";

/** Up to how many nodes, down to how many, and for how many seconds then. They overlap, so that one node more or less changes nothing. */
const sizes = [
  { min: 0, max: 100, seconds: 0 },
  { min: 90, max: 500, seconds: 15 },
  { min: 450, max: 1000, seconds: 30 },
  { min: 900, max: 2000, seconds: 60 },
  { min: 1800, max: Number.POSITIVE_INFINITY, seconds: 300 },
] as const;

/** Tells each node for how long it may go without asking for Secrets and ConfigMaps anew: the longer, the more nodes there are. */
export const ttlController: Controller = defineStatefulController<Node>({
  name: "ttl-controller",
  aliases: ["ttl"],
  // Nodes write their status often, and hear of a new size of the cluster then.
  for: nodes,
  prepare: (context) => {
    const informer = context.informer(nodes);
    let step = 0;
    let count = 0;
    const counted = (difference: number): void => {
      count += difference;
      if (count > (sizes[step]?.max ?? 0)) step++;
      else if (count < (sizes[step]?.min ?? 0)) step--;
    };
    informer.addHandler({ add: () => counted(1), delete: () => counted(-1) });
    return async (key, { client, signal }) => {
      const node = informer.get(key);
      const seconds = String(sizes[step]?.seconds ?? 0);
      if (node === undefined || node.metadata.annotations?.[annotation] === seconds) return;
      const body = { metadata: { annotations: { [annotation]: seconds } } };
      await client.patch(nodes, { name: node.metadata.name }, { type: "strategic", body }, { signal });
    };
  },
});
