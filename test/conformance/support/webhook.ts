import { once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { JsonObject } from "../../../src/api/index.js";
import type { CertificateAuthority } from "../../../src/apiserver/pki/certificate-authority.js";

/** What a webhook answers to a review: an object is sent as JSON, a number is a bare status code. */
export type Answering = (review: JsonObject) => object | number;

/** An HTTPS server for webhooks on loopback, whose certificate an authority has signed. */
export class WebhookServer implements AsyncDisposable {
  readonly reviews: JsonObject[] = [];
  readonly clientConfig: { readonly url: string; readonly caBundle: string };
  readonly #server: Server;
  answer: Answering;

  private constructor(server: Server, ca: string, answer: Answering) {
    this.#server = server;
    this.answer = answer;
    const { port } = server.address() as AddressInfo;
    this.clientConfig = { url: `https://127.0.0.1:${port}/convert`, caBundle: Buffer.from(ca).toString("base64") };
    server.on("request", (request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const review = JSON.parse(Buffer.concat(chunks).toString()) as JsonObject;
        this.reviews.push(review);
        const answered = this.answer(review);
        if (typeof answered === "number") response.writeHead(answered).end("no mood");
        else response.setHeader("Content-Type", "application/json").end(JSON.stringify(answered));
      });
    });
  }

  static async start(authority: CertificateAuthority, answer: Answering): Promise<WebhookServer> {
    const pair = await authority.issue({ commonName: "webhook", ipAddresses: ["127.0.0.1"], usages: ["server"] });
    const server = createServer({ cert: pair.certificate, key: pair.key });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new WebhookServer(server, authority.certificate, answer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
