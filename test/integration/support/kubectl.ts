import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Outcome, type Program, runProgram, startProgram } from "./cli-program.js";

const fetched = fileURLToPath(new URL("../../../node_modules/.cache/kubectl/usr/bin/kubectl", import.meta.url));

export interface KubectlOptions {
  readonly kubeconfig: string;
  /** For what it keeps about a cluster, which another one on the same port must not find. */
  readonly home: string;
  readonly namespace?: string;
  /** Default: what `findKubectl` finds. */
  readonly binary?: string;
  /** Put before the arguments of each call. */
  readonly flags?: readonly string[];
}

export interface CallOptions {
  readonly stdin?: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** The real kubectl against one cluster. */
export interface Kubectl {
  readonly namespace: string;
  readonly kubeconfig: string;
  /** Runs it and gives what it said; rejects unless its exit code is 0. */
  ok(args: readonly string[] | string, options?: CallOptions): Promise<string>;
  /** The same, as JSON. */
  json<T = Json>(args: readonly string[] | string, options?: CallOptions): Promise<T>;
  /** Runs it and gives its error output; rejects when its exit code is 0. */
  fails(args: readonly string[] | string, options?: CallOptions): Promise<string>;
  run(args: readonly string[] | string, options?: CallOptions): Promise<Outcome>;
  /** Leaves it running; whoever starts it disposes it. */
  start(args: readonly string[] | string): Program;
  in(namespace: string): Kubectl;
  with(...flags: readonly string[]): Kubectl;
}

/** As much of an object as these tests look at. */
export interface Json {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly generation?: number;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly kind: string; readonly name: string }[];
    readonly deletionTimestamp?: string;
    readonly managedFields?: readonly { readonly manager: string; readonly operation: string }[];
  };
  // biome-ignore lint/suspicious/noExplicitAny: what kubectl prints is looked into by path, and a wrong path fails the test
  readonly spec: any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly status: any;
  readonly data?: Readonly<Record<string, string>>;
  readonly items: readonly Json[];
}

/** A kubectl of version 1.32 or newer: `$KUBECTL`, the one on the PATH, or the one that scripts/provision-kubectl.sh fetched. */
export async function findKubectl(): Promise<string> {
  for (const binary of [process.env.KUBECTL, "kubectl", fetched]) {
    if (binary === undefined || binary === "") continue;
    const { stdout } = await runProgram(binary, ["version", "--client"]).catch(() => ({ stdout: "" }));
    if (Number(/^Client Version: v1\.(\d+)/m.exec(stdout)?.[1] ?? 0) >= 32) return binary;
  }
  throw new Error("kubectl 1.32 or newer is needed: scripts/provision-kubectl.sh fetches one, or name it in KUBECTL");
}

export async function createKubectl(options: KubectlOptions): Promise<Kubectl> {
  return kubectlOf(options.binary ?? (await findKubectl()), options);
}

function kubectlOf(binary: string, options: KubectlOptions): Kubectl {
  const { kubeconfig, home, namespace = "default", flags = [] } = options;
  const env = { KUBECONFIG: kubeconfig, HOME: home, KUBECACHEDIR: join(home, "cache"), KUBE_EDITOR: undefined };
  const argv = (args: readonly string[] | string): readonly string[] => [
    `--namespace=${namespace}`,
    ...flags,
    ...(typeof args === "string" ? args.split(" ") : args),
  ];
  const run: Kubectl["run"] = (args, { env: more, ...call } = {}) =>
    runProgram(binary, argv(args), { ...call, env: { ...env, ...more } });
  const ok: Kubectl["ok"] = async (args, call) => {
    const outcome = await run(args, call);
    if (outcome.code !== 0) throw new Error(described(argv(args), outcome));
    return outcome.stdout;
  };
  return {
    namespace,
    kubeconfig,
    run,
    ok,
    json: async (args, call) =>
      JSON.parse(await ok(typeof args === "string" ? `${args} -o json` : [...args, "-o", "json"], call)),
    async fails(args, call) {
      const outcome = await run(args, call);
      if (outcome.code === 0 || outcome.code === null) throw new Error(described(argv(args), outcome));
      return outcome.stderr;
    },
    start: (args) => startProgram(binary, argv(args), { env }),
    in: (other) => kubectlOf(binary, { ...options, namespace: other }),
    with: (...more) => kubectlOf(binary, { ...options, flags: [...flags, ...more] }),
  };
}

function described(args: readonly string[], { code, signal, stdout, stderr }: Outcome): string {
  return `kubectl ${args.join(" ")} ended with ${code ?? signal}\n--- stdout\n${stdout.slice(-3000)}\n--- stderr\n${stderr.slice(-3000)}`;
}
