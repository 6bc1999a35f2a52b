/** A new object has no status of the client's making: it starts with the zero of its kind, as upstream writes it. */
export function startsWithStatus(zero: object): <T extends object>(object: T) => T {
  const status = Object.freeze(zero);
  return (object) => Object.assign({}, object, { status });
}
