import { type Pod, serviceAccounts, type TokenRequest } from "../../api/index.js";
import type { Client } from "../../client/index.js";
import type { Clock } from "../../internal/clock.js";

export interface TokenSpec {
  readonly audience: string;
  readonly expirationSeconds: number;
}

interface CachedToken {
  readonly token: string;
  readonly renewAtMs: number;
}

const dayMs = 24 * 60 * 60 * 1000;

/** Tokens of pods' service accounts, bound to the pod, renewed when 80 % of their life or a day has passed. */
export class TokenSource {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #tokens = new Map<string, CachedToken>();

  constructor(client: Client, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** The token and when to ask again. */
  async get(pod: Pod, spec: TokenSpec, signal: AbortSignal): Promise<CachedToken> {
    const key = `${pod.metadata.uid} ${spec.audience} ${spec.expirationSeconds}`;
    const known = this.#tokens.get(key);
    const now = this.#clock.now();
    if (known !== undefined && now < known.renewAtMs) return known;
    const { namespace, name, uid } = pod.metadata;
    const request = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: {
        audiences: spec.audience === "" ? [] : [spec.audience],
        expirationSeconds: spec.expirationSeconds,
        boundObjectRef: { apiVersion: "v1", kind: "Pod", name, uid },
      },
    };
    const account = pod.spec?.serviceAccountName || "default";
    const answer = await this.#client.createSubresource<TokenRequest>(
      serviceAccounts,
      { namespace, name: account },
      "token",
      request,
      { signal },
    );
    const { token = "", expirationTimestamp } = answer.status ?? {};
    const lifeMs = Math.max(0, Date.parse(expirationTimestamp ?? "") - now) || spec.expirationSeconds * 1000;
    const made = { token, renewAtMs: now + Math.min(lifeMs * 0.8, dayMs) };
    this.#tokens.set(key, made);
    return made;
  }

  forget(podUid: string): void {
    for (const key of this.#tokens.keys()) if (key.startsWith(`${podUid} `)) this.#tokens.delete(key);
  }
}
