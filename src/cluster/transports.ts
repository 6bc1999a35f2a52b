import type { GroupVersionResource, Transport, UserInfo } from "../api/index.js";
import type { ClusterPki } from "../apiserver/pki/cluster-pki.js";
import type { SecuredApiServer } from "../apiserver/secured-api-server.js";
import { HttpTransport } from "../client/index.js";

/**
 * Ways into the API for parts of this process. What APIServices say other servers have is asked for at this server's own HTTPS port, which
 * passes it on in the name of who asks; everything else goes without sockets and copies.
 */
export class ProcessTransports implements AsyncDisposable {
  readonly #api: SecuredApiServer;
  readonly #pki: ClusterPki;
  readonly #remote = new Map<string, HttpTransport>();

  constructor(api: SecuredApiServer, pki: ClusterPki) {
    this.#api = api;
    this.#pki = pki;
  }

  /** With the rights of `user`; absent: with all there are. */
  transport(user?: UserInfo, agent?: string): Transport {
    const own = this.#api.transport(user, agent);
    const wayOf = ({ group, version }: GroupVersionResource): Transport =>
      this.#api.delegates(group, version) ? this.#through(user, agent) : own;
    return {
      request: (request) => wayOf(request).request(request),
      watch: (request) => wayOf(request).watch(request),
      discover: (groupVersion, signal) => this.#through(user, agent).discover(groupVersion, signal),
    };
  }

  #through(user: UserInfo | undefined, agent: string | undefined): HttpTransport {
    const id = JSON.stringify([user, agent]);
    const known = this.#remote.get(id);
    if (known !== undefined) return known;
    const { ca, admin } = this.#pki;
    const made = new HttpTransport({
      server: this.#api.https.url,
      ca: ca.certificate,
      clientCertificate: admin.certificate,
      clientKey: admin.key,
      ...(agent === undefined ? {} : { userAgent: agent }),
      ...(user === undefined ? {} : { impersonate: { user: user.username, ...user } }),
    });
    this.#remote.set(id, made);
    return made;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#remote.values()];
    this.#remote.clear();
    await Promise.all(all.map((transport) => transport[Symbol.asyncDispose]()));
  }
}
