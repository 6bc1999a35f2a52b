import { invalid } from "../field-error.js";
import type { Errors } from "./checks.js";

const minSeconds = 600;
const maxSeconds = 2 ** 32;

/** For how long the token of a service account may be asked. */
export function checkTokenSeconds(errors: Errors, path: string, seconds: number): void {
  if (seconds < minSeconds) errors.push(invalid(path, seconds, "may not specify a duration less than 10 minutes"));
  if (seconds > maxSeconds) errors.push(invalid(path, seconds, "may not specify a duration larger than 2^32 seconds"));
}
