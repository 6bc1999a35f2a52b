import { isIP } from "node:net";
import { type Clock, sleep } from "../../internal/clock.js";
import type { Random } from "../../internal/random.js";
import { type Answer, exchange } from "./exchange.js";

/** Where a webhook is and who calls it: what a kubeconfig says. Certificates and keys are PEM. */
export interface WebhookConnection {
  /** The URL that is posted to, path and query included. */
  readonly server: string;
  /** Absent: the public authorities. */
  readonly ca?: string | undefined;
  readonly clientCertificate?: string | undefined;
  readonly clientKey?: string | undefined;
  readonly insecure?: boolean | undefined;
  readonly tlsServerName?: string | undefined;
  /** Called for every request. */
  readonly token?: (() => string | undefined | Promise<string | undefined>) | undefined;
  readonly basicAuth?: { readonly username: string; readonly password: string } | undefined;
}

/** Posts a review; resolves to the review that comes back. Rejects with a WebhookError. */
export type PostReview = (review: object) => Promise<unknown>;

export interface WebhookOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** For each of the tries. */
  readonly timeoutMs: number;
}

/** The webhook could not be asked, or did not answer with success. */
export class WebhookError extends Error {
  override readonly name = "WebhookError";
  /** The HTTP code; absent where there was no answer. */
  readonly code: number | undefined;
  /** Its time was over. */
  readonly timedOut: boolean;

  constructor(
    message: string,
    {
      code,
      cause,
      timedOut = false,
    }: { readonly code?: number | undefined; readonly cause?: unknown; readonly timedOut?: boolean } = {},
  ) {
    super(message, { cause });
    this.code = code;
    this.timedOut = timedOut;
  }
}

/** Upstream's: five tries, the first pause half a second. */
const tries = 5;
const firstPauseMs = 500;
const pauseFactor = 1.5;
const jitter = 0.2;
const limitBytes = 3 * 1024 * 1024;
/** So many wait for one webhook at most; who comes then is refused. */
const maxUnderWay = 512;

/**
 * A webhook in the manner of upstream's authentication and authorization webhooks: a POST of JSON to the server of a kubeconfig, tried again
 * when the connection is reset and when the answer says to (429, 500, 504, Retry-After).
 */
export function webhookClient(connection: WebhookConnection, options: WebhookOptions): PostReview {
  const { clock, random } = options;
  let underWay = 0;
  const attempts = async (review: object): Promise<unknown> => {
    const body = Buffer.from(JSON.stringify(review));
    let pauseMs = firstPauseMs;
    for (let tried = 1; ; tried++) {
      try {
        return await post(connection, body, options.timeoutMs);
      } catch (error) {
        if (tried >= tries || !isPassing(error)) throw error;
      }
      await sleep(clock, pauseMs * (1 + random.next() * jitter));
      pauseMs *= pauseFactor;
    }
  };
  return async (review) => {
    if (underWay >= maxUnderWay) throw new WebhookError(`${connection.server}: too many requests under way`);
    underWay++;
    try {
      return await attempts(review);
    } finally {
      underWay--;
    }
  };
}

/** Something that may be over with the next try. */
class PassingError extends WebhookError {}

function isPassing(error: unknown): boolean {
  return error instanceof PassingError;
}

async function post(connection: WebhookConnection, body: Buffer, timeoutMs: number): Promise<unknown> {
  const { protocol, hostname, port, pathname, search, host } = new URL(connection.server);
  const plain = protocol === "http:";
  const name = hostname.replace(/^\[|\]$/g, "");
  const servername = connection.tlsServerName ?? (isIP(name) === 0 ? name : undefined);
  const signal = AbortSignal.timeout(timeoutMs);
  let answer: Answer;
  try {
    answer = await exchange({
      plain,
      host: name,
      port: Number(port || (plain ? 80 : 443)),
      path: `${pathname}${search}`,
      method: "POST",
      headers: {
        Host: host,
        "Content-Type": "application/json",
        Accept: "application/json",
        "Content-Length": body.length,
        ...(await authorization(connection)),
      },
      ...(connection.ca === undefined ? {} : { ca: connection.ca }),
      ...(connection.clientCertificate === undefined ? {} : { cert: connection.clientCertificate }),
      ...(connection.clientKey === undefined ? {} : { key: connection.clientKey }),
      ...(connection.insecure === true ? { rejectUnauthorized: false } : {}),
      ...(servername === undefined ? {} : { servername }),
      signal,
      body,
      limitBytes,
    });
  } catch (cause) {
    throw unreachable(connection.server, cause, signal.aborted);
  }
  return reviewIn(connection.server, answer);
}

async function authorization({ token, basicAuth }: WebhookConnection): Promise<{ readonly Authorization?: string }> {
  const bearer = await token?.();
  if (bearer) return { Authorization: `Bearer ${bearer}` };
  if (basicAuth === undefined) return {};
  const { username, password } = basicAuth;
  return { Authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}` };
}

function unreachable(server: string, cause: unknown, timedOut: boolean): WebhookError {
  const { message, code } = Object(cause) as { readonly message?: string; readonly code?: string };
  const why = timedOut ? "the time for an answer is over" : message || code || String(cause);
  const text = `Post ${JSON.stringify(server)}: ${why}`;
  return !timedOut && code === "ECONNRESET"
    ? new PassingError(text, { cause })
    : new WebhookError(text, { cause, timedOut });
}

function reviewIn(server: string, { code, headers, text }: Answer): unknown {
  if (code < 200 || code >= 300) {
    const message = `Post ${JSON.stringify(server)}: the webhook answered ${code}`;
    const passes =
      code === 500 || code === 504 || code === 429 || (code === 503 && headers["retry-after"] !== undefined);
    throw passes ? new PassingError(message, { code }) : new WebhookError(message, { code });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new WebhookError(`Post ${JSON.stringify(server)}: the answer is no JSON`, { code, cause });
  }
}
