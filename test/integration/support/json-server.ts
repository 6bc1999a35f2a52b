import type { IncomingHttpHeaders } from "node:http";
import { createServer } from "node:https";
import type { TLSSocket } from "node:tls";
import type { CertificateAuthority } from "../../../src/apiserver/pki/certificate-authority.js";

export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** The CN of who shows a certificate of the same authority. */
  readonly client: string | undefined;
  readonly body: unknown;
}

export interface JsonServer extends AsyncDisposable {
  readonly url: string;
  readonly asked: readonly Asked[];
}

/** What a number is answered with is an HTTP code without a body. */
export type AnswerJson = (asked: Asked) => unknown;

/** An HTTPS server on loopback that answers with JSON, with a certificate of `ca`, and asks for one of clients. */
export async function jsonServer(ca: CertificateAuthority, answer: AnswerJson): Promise<JsonServer> {
  const { certificate, key } = await ca.issue({ commonName: "json", ipAddresses: ["127.0.0.1"], usages: ["server"] });
  const asked: Asked[] = [];
  const options = { cert: certificate, key, ca: ca.certificate, requestCert: true, rejectUnauthorized: false };
  const server = createServer(options, (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const socket = request.socket as TLSSocket;
      const text = Buffer.concat(chunks).toString();
      const one: Asked = {
        method: request.method ?? "",
        url: request.url ?? "",
        headers: request.headers,
        client: socket.authorized ? String(socket.getPeerCertificate().subject.CN) : undefined,
        body: text === "" ? undefined : JSON.parse(text),
      };
      asked.push(one);
      const what = answer(one);
      if (typeof what === "number") response.writeHead(what).end();
      else response.setHeader("Content-Type", "application/json").end(JSON.stringify(what));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `https://127.0.0.1:${address.port}`,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
