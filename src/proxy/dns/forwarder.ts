import { randomInt as secureRandomInt } from "node:crypto";
import { decode, encode, RECURSION_DESIRED } from "dns-packet";
import type { Clock } from "../../internal/clock.js";
import { type Logger, withFields } from "../../internal/logger.js";
import { type Random, randomInt } from "../../internal/random.js";
import { AnswerCache } from "./answer-cache.js";
import type { OutsideAnswer } from "./cluster-zones.js";
import type { DnsFigures } from "./dns-figures.js";
import type { DnsRecord } from "./record.js";
import { askByTcp, askByUdp, type ExchangeOptions, type Upstream } from "./upstream.js";

export interface ForwarderOptions {
  readonly upstreams: readonly Upstream[];
  /** How many questions may be under way. Default 1000, as in kubeadm's configuration of CoreDNS. */
  readonly maxConcurrent?: number | undefined;
  /** How long one resolver is waited for. Default 2000. */
  readonly timeoutMs?: number | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Where what happens is counted; absent: nowhere. */
  readonly figures?: DnsFigures | undefined;
  /** Ends what is under way. */
  readonly signal: AbortSignal;
}

/** Resolvers tried for one question. */
const maxTries = 3;
const udpBytes = 1232;

/** Asks other resolvers, one after the other in a random order, until one answers. */
export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #cache: AnswerCache;
  readonly #logger: Logger;
  #underWay = 0;

  constructor(options: ForwarderOptions) {
    this.#options = options;
    this.#cache = new AnswerCache(options.clock);
    this.#logger = withFields(options.logger, { part: "forwarder" });
  }

  /**
   * A resolver's answer to a client's query, as it is but for the number; over TCP if the client came so. Undefined where there is no
   * resolver, none answers, or too much is under way.
   */
  async forward(query: Buffer, protocol: "udp" | "tcp"): Promise<Buffer | undefined> {
    const kept = this.#cache.get(query);
    this.#options.figures?.cache(kept && { rcode: rcodeOf(kept) });
    const answer = kept ?? (await this.#ask(query, protocol === "udp" ? askByUdp : askByTcp));
    if (answer === undefined) return undefined;
    query.copy(answer, 0, 0, 2);
    return answer;
  }

  /** Looks a name up: its addresses, and the names on the way to them. Undefined when that failed. */
  async resolve(name: string, type: string): Promise<OutsideAnswer | undefined> {
    if (type !== "A" && type !== "AAAA") return undefined;
    const query = encode({
      type: "query",
      id: 0,
      flags: RECURSION_DESIRED,
      questions: [{ name, type }],
      additionals: [
        {
          type: "OPT",
          name: ".",
          udpPayloadSize: udpBytes,
          extendedRcode: 0,
          ednsVersion: 0,
          flags: 0,
          flag_do: false,
          options: [],
        },
      ],
    });
    let bytes = await this.forward(query, "udp");
    if (bytes !== undefined && (bytes.readUInt16BE(2) & 0x0200) !== 0) bytes = await this.forward(query, "tcp");
    if (bytes === undefined) return undefined;
    const rcode = rcodeOf(bytes);
    if (rcode !== 0 && rcode !== 3) return undefined;
    try {
      const { answers = [], flag_tc: truncated } = decode(bytes);
      const records = answers.flatMap((answer): readonly DnsRecord[] =>
        answer.type === "A" || answer.type === "AAAA" || answer.type === "CNAME"
          ? [{ name: answer.name, type: answer.type, ttl: answer.ttl ?? 0, data: answer.data }]
          : [],
      );
      return { answers: records, truncated };
    } catch (error) {
      this.#logger.debug("a resolver's answer could not be read", { name, error });
      return undefined;
    }
  }

  async #ask(
    query: Buffer,
    ask: (upstream: Upstream, query: Buffer, options: ExchangeOptions) => Promise<Buffer>,
  ): Promise<Buffer | undefined> {
    const { upstreams, maxConcurrent = 1000, timeoutMs = 2000, clock, signal, figures } = this.#options;
    if (this.#underWay >= maxConcurrent) {
      figures?.rejected();
      this.#logger.debug("too many questions to other resolvers under way; refusing one", { maxConcurrent });
      return undefined;
    }
    this.#underWay++;
    try {
      for (const upstream of this.#inRandomOrder(upstreams).slice(0, maxTries)) {
        // A number that nobody can guess: what comes from elsewhere must not pass as the answer.
        const own = Buffer.from(query);
        own.writeUInt16BE(secureRandomInt(0x10000), 0);
        const askedMs = clock.now();
        try {
          const answer = await ask(upstream, own, { clock, timeoutMs, signal });
          figures?.forwarded(`${upstream.address}:${upstream.port}`, rcodeOf(answer), (clock.now() - askedMs) / 1000);
          this.#cache.put(query, answer);
          return answer;
        } catch (error) {
          if (signal.aborted) return undefined;
          this.#logger.debug("a resolver did not answer", { ...upstream, error });
        }
      }
      return undefined;
    } finally {
      this.#underWay--;
    }
  }

  #inRandomOrder(upstreams: readonly Upstream[]): readonly Upstream[] {
    const start = upstreams.length === 0 ? 0 : randomInt(this.#options.random, upstreams.length);
    return [...upstreams.slice(start), ...upstreams.slice(0, start)];
  }
}

function rcodeOf(message: Buffer): number {
  return message.readUInt16BE(2) & 0xf;
}
