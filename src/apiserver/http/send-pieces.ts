import { createGzip, type Gzip } from "node:zlib";
import type { Exchange } from "./exchange.js";
import { gzipLevel, gzipThresholdBytes, wantsGzip } from "./respond.js";
import { drained } from "./wire.js";

/** A list's writing is given up when the client takes nothing for so long. */
export type Stall = (give: () => void) => () => void;

type Pieces = Iterable<Buffer> | AsyncIterable<Buffer>;

/** Writes an answer piece by piece, no faster than the client takes it. `size` is of all pieces together; absent: large. */
export async function sendPieces(
  exchange: Exchange,
  contentType: string,
  size: number | undefined,
  source: Pieces,
  stall: Stall,
): Promise<void> {
  const headers = exchange.headers(contentType);
  const pack = (size ?? Number.POSITIVE_INFINITY) > gzipThresholdBytes && wantsGzip(exchange);
  if (pack) {
    headers["Content-Encoding"] = "gzip";
    headers["Vary"] = "Accept-Encoding";
  } else if (size !== undefined) {
    headers["Content-Length"] = size;
  }
  exchange.writeHead(200, headers);
  const { response } = exchange;
  if (exchange.request.method === "HEAD") return void response.end();
  if (pack) return sendPacked(exchange, source, stall);
  for await (const piece of source) {
    if (exchange.ended) return;
    if (!response.write(piece) && !(await drained(response, stall))) return void response.destroy();
  }
  response.end();
}

/** Packs on the thread pool, with back-pressure on both sides. */
function sendPacked(exchange: Exchange, source: Pieces, stall: Stall): Promise<void> {
  const { response } = exchange;
  const packer = createGzip({ level: gzipLevel });
  return new Promise((resolve) => {
    const finish = (): void => {
      packer.destroy();
      resolve();
    };
    const cut = (): void => {
      response.destroy();
      finish();
    };
    response.on("close", finish);
    packer.on("error", cut);
    packer.on("end", () => {
      response.end();
      finish();
    });
    packer.on("data", (chunk: Buffer) => {
      if (response.write(chunk)) return;
      packer.pause();
      void drained(response, stall).then((more) => (more ? packer.resume() : cut()));
    });
    feed(packer, source).catch(cut);
  });
}

async function feed(packer: Gzip, source: Pieces): Promise<void> {
  for await (const piece of source) {
    if (packer.destroyed) return;
    if (packer.write(piece)) continue;
    await new Promise<void>((resolve) => {
      const go = (): void => {
        packer.off("drain", go);
        packer.off("close", go);
        resolve();
      };
      packer.on("drain", go);
      packer.on("close", go);
    });
  }
  packer.end();
}
