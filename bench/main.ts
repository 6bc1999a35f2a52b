import { writeFileSync } from "node:fs";
import type { Bench, Row } from "./rows.js";
import { serve } from "./servers.js";

/** `name/word/word`: words choose among what a bench measures. */
type Selectable = (selection?: readonly string[]) => ReturnType<Bench> | AsyncIterable<Row>;

const benches: Readonly<Record<string, () => Promise<{ readonly run: Selectable }>>> = {
  get: () => import("./get.js"),
  "list-5000": () => import("./list.js"),
  "watch-1000": () => import("./watch.js"),
  "create-memory": () => import("./create-memory.js"),
  "create-embedded": () => import("./create-embedded.js"),
  "create-etcd": () => import("./create-etcd.js"),
  "cold-start": () => import("./cold-start.js"),
  "deployment-100": () => import("./deployment-100.js"),
  "deployment-100x300": () => import("./deployment-100x300.js"),
  "bind-1000": () => import("./bind-1000.js"),
  "bind-5000": () => import("./bind-5000.js"),
  scheduler: () => import("./scheduler.js"),
  "memory-10k": () => import("./memory-10k.js"),
  "memory-50k": () => import("./memory-50k.js"),
  "blocking-50k": () => import("./blocking-50k.js"),
  "services-5000": () => import("./proxy.js"),
};

async function main(args: readonly string[]): Promise<void> {
  const json = args.indexOf("--json");
  const file = json < 0 ? undefined : args[json + 1];
  const named = args.filter((_, index) => json < 0 || (index !== json && index !== json + 1));
  const unknown = named.find((name) => !Object.hasOwn(benches, name.split("/")[0] ?? ""));
  if (unknown !== undefined) {
    console.error(`no bench is called ${unknown}; there are: ${Object.keys(benches).join(", ")}`);
    process.exit(1);
  }
  const rows: Row[] = [];
  console.log(line("name", "value", "unit", "baseline", "ratio"));
  for (const name of named.length > 0 ? named : Object.keys(benches)) {
    const [bench = "", ...selection] = name.split("/");
    const { run } = await (benches[bench] as () => Promise<{ readonly run: Selectable }>)();
    const measured = run(selection);
    for await (const row of measured instanceof Promise ? await measured : measured) {
      rows.push(row);
      console.log(line(row.name, show(row.value), row.unit, show(row.baseline), show(row.ratio, 2)));
    }
  }
  if (file !== undefined) writeFileSync(file, `${JSON.stringify(rows, null, 2)}\n`);
}

function line(name: string, value: string, unit: string, baseline: string, ratio: string): string {
  return `${name.padEnd(40)} ${value.padStart(12)} ${unit.padEnd(12)} ${baseline.padStart(12)} ${ratio.padStart(7)}`;
}

function show(value: number, digits?: number): string {
  return value.toFixed(digits ?? (value < 10 ? 2 : value < 1000 ? 1 : 0));
}

const [role, ...rest] = process.argv.slice(2);
if (role === "--serve") await serve(rest);
else {
  await main(process.argv.slice(2));
  process.exit(0);
}
