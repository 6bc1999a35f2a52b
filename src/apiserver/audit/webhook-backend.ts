import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { type Clock, realClock, sleep } from "../../internal/clock.js";
import { type Random, systemRandom } from "../../internal/random.js";
import type { AuditBackend } from "./backend.js";
import { type AuditEvent, auditApiVersion, encodeEvent } from "./event.js";

export interface AuditWebhookOptions {
  /** `https://host/path`, or `http://` where nobody is on the way. */
  readonly url: string;
  /** PEM. Absent: the public authorities that Node knows. */
  readonly ca?: string | undefined;
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  /** The name to expect in the webhook's certificate. */
  readonly serverName?: string | undefined;
  /** Trust whoever answers. */
  readonly insecure?: boolean | undefined;
  /** A bearer token; asked for at each try. */
  readonly token?: (() => string | undefined | Promise<string | undefined>) | undefined;
  readonly basicAuth?: { readonly username: string; readonly password: string } | undefined;
  /** How long after a first failure it is tried again; then each time half as long again. Default 10 s. */
  readonly initialBackoffMs?: number | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
}

/** As upstream tries. */
const tries = 5;
const backoffFactor = 1.5;
const backoffJitter = 0.2;
const requestTimeoutMs = 30_000;

/** POSTs events as an EventList, and again whatever the failure was: what is lost here is lost. */
export class AuditWebhook implements AuditBackend, AsyncDisposable {
  readonly name = "webhook";
  readonly #options: AuditWebhookOptions;
  readonly #url: URL;
  readonly #agent: HttpAgent;

  /** Throws for a URL that is none. */
  constructor(options: AuditWebhookOptions) {
    this.#options = options;
    this.#url = new URL(options.url);
    const { ca, certificate: cert, key, serverName: servername, insecure = false } = options;
    if (this.#url.protocol === "https:") {
      const tls = { ca, cert, key, rejectUnauthorized: !insecure, ...(servername === undefined ? {} : { servername }) };
      this.#agent = new HttpsAgent({ keepAlive: true, ...tls });
    } else if (this.#url.protocol === "http:") this.#agent = new HttpAgent({ keepAlive: true });
    else throw new Error(`the audit webhook's address ${JSON.stringify(options.url)} is not http or https`);
  }

  async write(events: readonly AuditEvent[], signal: AbortSignal): Promise<void> {
    const { clock = realClock, random = systemRandom, initialBackoffMs = 10_000 } = this.#options;
    const body = Buffer.from(eventList(events));
    for (let failures = 1; ; failures++) {
      try {
        return await this.#post(body, signal);
      } catch (error) {
        if (failures === tries || signal.aborted) throw error;
        const delayMs = initialBackoffMs * backoffFactor ** (failures - 1);
        await sleep(clock, delayMs * (1 + backoffJitter * random.next()), signal);
        if (signal.aborted) throw error;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
  }

  async #post(body: Buffer, signal: AbortSignal): Promise<void> {
    const { clock = realClock } = this.#options;
    const late = new AbortController();
    const timer = clock.setTimeout(() => late.abort(new Error("the audit webhook does not answer")), requestTimeoutMs);
    try {
      const code = await this.#exchange(body, await this.#headers(body), AbortSignal.any([signal, late.signal]));
      if (code < 200 || code >= 300) throw new Error(`the audit webhook answered ${code}`);
    } finally {
      timer.cancel();
    }
  }

  async #headers(body: Buffer): Promise<Record<string, string | number>> {
    const { token, basicAuth } = this.#options;
    const bearer = await token?.();
    const basic = basicAuth && Buffer.from(`${basicAuth.username}:${basicAuth.password}`).toString("base64");
    return {
      Accept: "application/json, */*",
      "Content-Type": "application/json",
      "Content-Length": body.length,
      ...(bearer === undefined ? {} : { Authorization: `Bearer ${bearer}` }),
      ...(bearer !== undefined || basic === undefined ? {} : { Authorization: `Basic ${basic}` }),
    };
  }

  #exchange(body: Buffer, headers: Record<string, string | number>, signal: AbortSignal): Promise<number> {
    const send = this.#url.protocol === "https:" ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const request = send(this.#url, { method: "POST", agent: this.#agent, headers, signal }, (response) => {
        // What it says beside the code is nobody's business.
        response.on("error", reject);
        response.on("end", () => resolve(response.statusCode ?? 0));
        response.resume();
      });
      request.on("error", reject);
      request.end(body);
    });
  }
}

function eventList(events: readonly AuditEvent[]): string {
  return `{"kind":"EventList","apiVersion":"${auditApiVersion}","metadata":{},"items":[${events.map(encodeEvent).join(",")}]}`;
}
