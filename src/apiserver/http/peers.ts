import type { X509Certificate } from "node:crypto";
import type { Peer } from "../authn/authenticator.js";
import type { WireRequest } from "./wire.js";

/** The part of a TLS socket that is looked at; HTTP/2 hides its own behind a proxy that lets these through. */
interface Connection {
  readonly remoteAddress?: string | undefined;
  readonly getPeerX509Certificate?: () => X509Certificate | undefined;
}

/** Who is at the other end of each connection, worked out once. */
export class PeerTable {
  readonly #peers = new WeakMap<object, Peer>();

  of(request: WireRequest): Peer {
    const key = ("stream" in request ? request.stream.session : undefined) ?? request.socket;
    let peer = this.#peers.get(key);
    if (peer === undefined) {
      const connection = request.socket as Connection;
      peer = { certificate: connection.getPeerX509Certificate?.(), address: connection.remoteAddress };
      this.#peers.set(key, peer);
    }
    return peer;
  }
}
