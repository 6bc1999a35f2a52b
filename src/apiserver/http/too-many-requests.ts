/** Refused because too many are under way. It is answered with plain text, as upstream does, not with a Status. */
export class TooManyRequests extends Error {
  override readonly name = "TooManyRequests";

  readonly retryAfterSeconds: number;

  constructor(retryAfterSeconds = 1) {
    super("Too many requests, please try again later.");
    this.retryAfterSeconds = retryAfterSeconds;
  }
}
