import type { Node, Pod } from "../../api/index.js";
import type { SchedulingPolicy } from "../framework/policy.js";

const minThresholdBytes = 23 * 2 ** 20;
const maxThresholdBytesPerContainer = 1000 * 2 ** 20;

/** Prefers nodes that have the pod's images, less so images that are on few nodes, so that pods do not all go there. */
export function imageLocality(): SchedulingPolicy {
  return {
    name: "ImageLocality",
    score(pod, { node }, { snapshot, state }) {
      const spread = (image: string): number => {
        const id = `ImageLocality/${image}`;
        const known = state.get(id);
        if (typeof known === "number") return known;
        const having = snapshot.nodes.filter((other) => imageSize(other.node, image) !== undefined).length;
        state.set(id, having / snapshot.nodes.length);
        return having / snapshot.nodes.length;
      };
      return scoreOf(imagesOf(pod), node, spread);
    },
    vector: {
      key({ pod }, { table }) {
        const images = imagesOf(pod);
        // What no node has scores nothing, and pods need not be told apart by it.
        if (!images.some((image) => table.imageNodes.has(image))) return "";
        return `${table.imagesVersion}:${images.join(",")}`;
      },
      compile({ pod }, { table }) {
        const images = imagesOf(pod);
        if (!images.some((image) => table.imageNodes.has(image))) return undefined;
        const spread = (image: string): number => (table.imageNodes.get(image) ?? 0) / table.nodeCount;
        return {
          nodeScore: {
            of(slot) {
              const node = table.nodes[slot];
              return node === undefined ? 0 : scoreOf(images, node, spread);
            },
          },
        };
      },
    },
  };
}

function scoreOf(images: readonly string[], node: Node, spread: (image: string) => number): number {
  let sum = 0;
  for (const image of images) {
    const size = imageSize(node, image);
    if (size !== undefined) sum += Math.trunc(size * spread(image));
  }
  const max = maxThresholdBytesPerContainer * images.length;
  const clamped = Math.min(Math.max(sum, minThresholdBytes), max);
  return Math.trunc((100 * (clamped - minThresholdBytes)) / (max - minThresholdBytes));
}

function imagesOf({ spec }: Pod): string[] {
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].map(({ image = "" }) => withTag(image));
}

/** A name without a tag means `latest`; a colon before the last slash is a port. */
function withTag(image: string): string {
  return image.lastIndexOf(":") > image.lastIndexOf("/") ? image : `${image}:latest`;
}

function imageSize(node: Node, name: string): number | undefined {
  for (const image of node.status?.images ?? []) if (image.names?.includes(name)) return image.sizeBytes ?? 0;
  return undefined;
}
