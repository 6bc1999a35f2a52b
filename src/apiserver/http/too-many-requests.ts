/** Refused because too many are under way. It is answered with plain text, as upstream does, not with a Status. */
export class TooManyRequests extends Error {
  override readonly name = "TooManyRequests";

  constructor() {
    super("Too many requests, please try again later.");
  }
}
