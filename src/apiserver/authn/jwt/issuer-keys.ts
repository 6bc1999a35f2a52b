import { createLocalJWKSet, errors, type JSONWebKeySet, type JWSHeaderParameters } from "jose";
import type { Clock } from "../../../internal/clock.js";
import { exchange } from "../../outbound/exchange.js";
import type { JwtConfiguration } from "./configuration.js";

type Key = Awaited<ReturnType<ReturnType<typeof createLocalJWKSet>>>;

/** The public keys of an issuer. */
export interface IssuerKeys {
  /** Those that may have signed; rejects when there is none, or when the issuer cannot be asked. */
  keysFor(header: JWSHeaderParameters): Promise<readonly Key[]>;
}

export interface IssuerKeysOptions {
  readonly clock: Clock;
  /** GETs a URL of the issuer's. Absent: over HTTPS, trusting its `certificateAuthority`. */
  readonly fetchJson?: FetchJson | undefined;
}

/** Resolves to what the JSON says; rejects unless the answer is one of success. */
export type FetchJson = (url: string, certificateAuthority: string | undefined) => Promise<unknown>;

const wellKnown = "/.well-known/openid-configuration";
/** Keys are asked for again when they are so old: those that the issuer took back count for no longer. */
const maxAgeMs = 10 * 60_000;
/** After an answer or a failure the issuer is left in peace for so long, whatever tokens come. */
const pauseMs = 10_000;

/**
 * Keys as OpenID discovery leads to them: asked for with the first token, again when a token names one that is not among them, and when
 * they are old. One request at a time, and never many. While the issuer does not answer the keys that are known go on.
 */
export function issuerKeys(issuer: JwtConfiguration["issuer"], options: IssuerKeysOptions): IssuerKeys {
  return new DiscoveredKeys(issuer, options);
}

class DiscoveredKeys implements IssuerKeys {
  readonly #issuer: JwtConfiguration["issuer"];
  readonly #clock: Clock;
  readonly #fetch: FetchJson;
  #keys: ReturnType<typeof createLocalJWKSet> | undefined;
  #fetchedMs = 0;
  #askedMs = Number.NEGATIVE_INFINITY;
  #failure: unknown;
  #asking: Promise<void> | undefined;

  constructor(issuer: JwtConfiguration["issuer"], { clock, fetchJson = httpsJson }: IssuerKeysOptions) {
    this.#issuer = issuer;
    this.#clock = clock;
    this.#fetch = fetchJson;
  }

  async keysFor(header: JWSHeaderParameters): Promise<readonly Key[]> {
    if (this.#keys === undefined || this.#clock.now() - this.#fetchedMs >= maxAgeMs) await this.#ask();
    const found = await this.#find(header);
    if (found !== undefined) return found;
    await this.#ask();
    const again = await this.#find(header);
    if (again === undefined) throw new Error("failed to verify signature: the issuer has no such key");
    return again;
  }

  async #find(header: JWSHeaderParameters): Promise<readonly Key[] | undefined> {
    if (this.#keys === undefined) {
      throw new Error("oidc: authenticator not initialized", { cause: this.#failure });
    }
    try {
      return [await this.#keys(header)];
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return undefined;
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      const keys: Key[] = [];
      for await (const key of error) keys.push(key);
      return keys;
    }
  }

  /** Resolves also when the issuer does not answer. */
  async #ask(): Promise<void> {
    if (this.#asking === undefined && this.#clock.now() - this.#askedMs < pauseMs) return;
    this.#asking ??= this.#fetchKeys().finally(() => {
      this.#asking = undefined;
      this.#askedMs = this.#clock.now();
    });
    await this.#asking;
  }

  async #fetchKeys(): Promise<void> {
    const { url, discoveryURL, certificateAuthority } = this.#issuer;
    try {
      const document = await this.#fetch(discoveryURL || `${url.replace(/\/$/, "")}${wellKnown}`, certificateAuthority);
      const { issuer, jwks_uri: keysUrl } = Object(document) as {
        readonly issuer?: unknown;
        readonly jwks_uri?: unknown;
      };
      if (issuer !== url) {
        const [expected, got] = [url, String(issuer)].map((text) => JSON.stringify(text));
        throw new Error(`oidc: issuer did not match the issuer returned by provider, expected ${expected} got ${got}`);
      }
      if (typeof keysUrl !== "string" || !keysUrl.startsWith("https://")) {
        throw new Error("oidc: the provider's jwks_uri is no https URL");
      }
      this.#keys = createLocalJWKSet((await this.#fetch(keysUrl, certificateAuthority)) as JSONWebKeySet);
      this.#fetchedMs = this.#clock.now();
      this.#failure = undefined;
    } catch (error) {
      this.#failure = error;
    }
  }
}

const timeoutMs = 10_000;
const limitBytes = 1024 * 1024;

const httpsJson: FetchJson = async (url, certificateAuthority) => {
  const { protocol, hostname, port, pathname, search } = new URL(url);
  if (protocol !== "https:") throw new Error(`${url} is not https`);
  const { code, text } = await exchange({
    host: hostname.replace(/^\[|\]$/g, ""),
    port: Number(port || 443),
    path: `${pathname}${search}`,
    headers: { Accept: "application/json" },
    signal: AbortSignal.timeout(timeoutMs),
    limitBytes,
    ...(certificateAuthority ? { ca: certificateAuthority } : {}),
  });
  if (code !== 200) throw new Error(`${url} answered ${code}`);
  return JSON.parse(text);
};
