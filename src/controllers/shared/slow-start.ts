/**
 * Calls `act` for 0..count-1 in batches of 1, 2, 4, 8 and so on, each batch in parallel, and stops after the first batch with a
 * failure: when a quota or an admission refuses the first one, the server is spared the rest. Gives back how many
 * succeeded and the first error.
 */
export async function slowStart(
  count: number,
  act: (index: number) => Promise<void>,
  initialBatch = 1,
): Promise<{ readonly succeeded: number; readonly error?: unknown }> {
  let succeeded = 0;
  let begun = 0;
  for (let batch = Math.min(count, initialBatch); batch > 0; batch = Math.min(2 * batch, count - begun)) {
    const first = begun;
    begun += batch;
    const results = await Promise.allSettled(Array.from({ length: batch }, (_, offset) => act(first + offset)));
    let failed: { readonly error: unknown } | undefined;
    for (const result of results) {
      if (result.status === "fulfilled") succeeded++;
      else failed ??= { error: result.reason };
    }
    if (failed !== undefined) return { succeeded, error: failed.error };
  }
  return { succeeded };
}
