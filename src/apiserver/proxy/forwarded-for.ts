import type { PassedOnRequest } from "../http/connect.js";

/** From where a request came, with those before in front: the value of X-Forwarded-For. */
export function forwardedFor({ request }: Pick<PassedOnRequest, "request">): string {
  const before = request.headers["x-forwarded-for"];
  const addresses = [...(before === undefined ? [] : [String(before)]), request.socket.remoteAddress ?? ""];
  return addresses.filter((address) => address !== "").join(", ");
}
