/** One named condition of health. Throws, or resolves to a failure's text, when it does not hold. */
export interface HealthCheck {
  readonly name: string;
  /** Which of the endpoints ask it; absent: all. */
  readonly endpoints?: readonly HealthEndpoint[];
  check(): undefined | string | Promise<undefined | string>;
}

export type HealthEndpoint = "healthz" | "livez" | "readyz";

export interface HealthAnswer {
  readonly code: number;
  readonly text: string;
}

const endpoints: ReadonlySet<string> = new Set(["healthz", "livez", "readyz"]);

/** `/readyz`, `/readyz/` or `/readyz/NAME`; undefined for other paths. */
export function healthPath(path: string): { readonly endpoint: HealthEndpoint; readonly check: string } | undefined {
  const [, endpoint = "", check = "", ...rest] = path.split("/");
  if (!endpoints.has(endpoint) || rest.length > 0) return undefined;
  return { endpoint: endpoint as HealthEndpoint, check };
}

/** Asks the checks of an endpoint, as upstream's `?verbose` and `?exclude=NAME` say it. undefined: no such check. */
export async function answerHealth(
  checks: readonly HealthCheck[],
  endpoint: HealthEndpoint,
  only: string,
  query: string,
): Promise<HealthAnswer | undefined> {
  const mine = checks.filter((check) => check.endpoints?.includes(endpoint) ?? true);
  if (only !== "") {
    const check = mine.find((candidate) => candidate.name === only);
    if (check === undefined) return undefined;
    const failure = await outcome(check);
    return failure === undefined
      ? { code: 200, text: "ok" }
      : { code: 500, text: `internal server error: ${failure}\n` };
  }
  const parameters = new URLSearchParams(query);
  const excluded = new Set(parameters.getAll("exclude"));
  const lines: string[] = [];
  let failed = false;
  for (const check of mine) {
    if (excluded.delete(check.name)) {
      lines.push(`[+]${check.name} excluded: ok\n`);
      continue;
    }
    const failure = await outcome(check);
    if (failure === undefined) {
      lines.push(`[+]${check.name} ok\n`);
    } else {
      failed = true;
      lines.push(`[-]${check.name} failed: reason withheld\n`);
    }
  }
  if (excluded.size > 0) {
    const names = [...excluded].map((name) => JSON.stringify(name)).join(",");
    lines.push(`warn: some health checks cannot be excluded: no matches for ${names}\n`);
  }
  if (failed) return { code: 500, text: `${lines.join("")}${endpoint} check failed\n` };
  return { code: 200, text: parameters.has("verbose") ? `${lines.join("")}${endpoint} check passed\n` : "ok" };
}

async function outcome(check: HealthCheck): Promise<string | undefined> {
  try {
    return await check.check();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
