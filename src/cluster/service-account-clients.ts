import { isStatusError, type ServiceAccount, serviceAccounts, type TokenRequest } from "../api/index.js";
import { type Client, createClient, HttpTransport, type HttpTransportOptions } from "../client/index.js";
import { type Clock, realClock } from "../internal/clock.js";

export interface ServiceAccountClientsOptions {
  /** May make service accounts and tokens for them. */
  readonly client: Client;
  /** How the server is reached; credentials in it are not used. */
  readonly transport: HttpTransportOptions;
  /** Default `kube-system`. */
  readonly namespace?: string | undefined;
  readonly clock?: Clock | undefined;
}

const lifetimeSeconds = 3600;
/** A token that is good for less than this is renewed before it is used. */
const leewayMs = 600_000;

/**
 * Clients over HTTPS that come as service accounts, with tokens that are asked for when first needed and renewed in time; the accounts are made
 * where they are missing. Dispose it to close their connections.
 */
export class ServiceAccountClients implements AsyncDisposable {
  readonly #options: ServiceAccountClientsOptions;
  readonly #transports: HttpTransport[] = [];
  readonly #sources = new Map<string, TokenSource>();

  constructor(options: ServiceAccountClientsOptions) {
    this.#options = options;
  }

  /** A client as the account, whose requests name `agent` as their program. */
  clientFor(account: string, agent: string): Client {
    const { server, ca, insecure, tlsServerName } = this.#options.transport;
    let source = this.#sources.get(account);
    if (source === undefined) {
      source = new TokenSource(account, this.#options);
      this.#sources.set(account, source);
    }
    const tokens = source;
    const transport = new HttpTransport({
      server,
      ca,
      insecure,
      tlsServerName,
      userAgent: agent,
      maxConnections: 8,
      token: () => tokens.token(),
    });
    this.#transports.push(transport);
    return createClient(transport);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#transports.splice(0).map((transport) => transport[Symbol.asyncDispose]()));
  }
}

class TokenSource {
  readonly #account: string;
  readonly #options: ServiceAccountClientsOptions;
  readonly #clock: Clock;
  #token: string | undefined;
  #expiresAt = 0;
  #fetching: Promise<void> | undefined;

  constructor(account: string, options: ServiceAccountClientsOptions) {
    this.#account = account;
    this.#options = options;
    this.#clock = options.clock ?? realClock;
  }

  async token(): Promise<string | undefined> {
    const now = this.#clock.now();
    if (now < this.#expiresAt - leewayMs) return this.#token;
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = undefined;
    });
    try {
      await this.#fetching;
    } catch (error) {
      // Still good for a while: the next request tries again.
      if (now >= this.#expiresAt) throw error;
    }
    return this.#token;
  }

  async #fetch(): Promise<void> {
    const { client, namespace = "kube-system" } = this.#options;
    const key = { namespace, name: this.#account };
    await this.#ensureAccount(key);
    const request: Omit<TokenRequest, "metadata"> & { readonly metadata: object } = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      metadata: {},
      spec: { expirationSeconds: lifetimeSeconds, audiences: [] },
    };
    const answer = await client.createSubresource<TokenRequest>(serviceAccounts, key, "token", request);
    const { token, expirationTimestamp = "" } = answer.status ?? {};
    if (!token) throw new Error(`no token for the service account ${namespace}/${this.#account}`);
    this.#token = token;
    this.#expiresAt = Date.parse(expirationTimestamp) || 0;
  }

  async #ensureAccount(metadata: { readonly namespace: string; readonly name: string }): Promise<void> {
    const { client } = this.#options;
    try {
      await client.get<ServiceAccount>(serviceAccounts, metadata);
    } catch (error) {
      if (!isStatusError(error, "NotFound")) throw error;
      const account = { apiVersion: "v1", kind: "ServiceAccount", metadata } as const;
      await client.create<ServiceAccount>(serviceAccounts, account).catch((failure: unknown) => {
        if (!isStatusError(failure, "AlreadyExists")) throw failure;
      });
    }
  }
}
