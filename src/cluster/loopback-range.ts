import { createSocket, type Socket } from "node:dgram";

/** A block of 127/8 that one cluster of processes has to itself on this machine. */
export interface LoopbackRange extends AsyncDisposable {
  /** The second octet. */
  readonly block: number;
  /** The lower half: virtual addresses of Services. */
  readonly serviceCidr: string;
  /** The upper half, of which each node has a /24. */
  readonly podCidr: string;
  /** The address of the n-th node itself, in the last /24. */
  nodeAddress(index: number): string;
  /** The pod range of the n-th node. */
  nodePodCidr(index: number): string;
}

const firstBlock = 64;
const lastBlock = 126;
/** What is bound on the block's last address to say that it is taken; nobody sends there. */
const claimPort = 10_248;

/**
 * Claims a free block, or exactly `wanted`, until it is disposed or the process ends. Rejects when all are taken, or that one is.
 */
export async function claimLoopbackRange(wanted?: number): Promise<LoopbackRange> {
  if (wanted !== undefined) {
    const claim = await bind(`127.${wanted}.255.254`);
    if (claim !== undefined) return range(wanted, claim);
    throw new Error(`the addresses 127.${wanted}.0.0/16 of this cluster are in use by another one on this machine`);
  }
  for (let block = firstBlock; block <= lastBlock; block++) {
    const claim = await bind(`127.${block}.255.254`);
    if (claim !== undefined) return range(block, claim);
  }
  throw new Error("all loopback ranges of this machine are taken by other clusters");
}

function range(block: number, claim: Socket): LoopbackRange {
  return {
    block,
    serviceCidr: `127.${block}.0.0/17`,
    podCidr: `127.${block}.128.0/17`,
    nodeAddress: (index) => `127.${block}.255.${index + 1}`,
    nodePodCidr: (index) => `127.${block}.${128 + index}.0/24`,
    [Symbol.asyncDispose]: () => new Promise((resolve) => claim.close(() => resolve())),
  };
}

function bind(address: string): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = createSocket("udp4");
    socket.once("error", (error: NodeJS.ErrnoException) => {
      socket.close();
      if (error.code === "EADDRINUSE") resolve(undefined);
      else reject(error);
    });
    socket.bind({ address, port: claimPort, exclusive: true }, () => {
      socket.unref();
      resolve(socket);
    });
  });
}
