import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { interrupt, startCli, startUp } from "./support/cli.js";
import { eventually, type Program } from "./support/cli-program.js";
import { askUdp } from "./support/dns-client.js";
import { createKubectl, type Kubectl } from "./support/kubectl.js";

let folder: string;
let program: Program;
let kubectl: Kubectl;
let kubeconfig: string;
const dnsIp = async (): Promise<string> =>
  kubectl.in("kube-system").ok(["get", "service", "kube-dns", "-o", "jsonpath={.spec.clusterIP}"]);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "dns-local-"));
  kubeconfig = join(folder, "kubeconfig");
  const args = ["--no-demo", "--nodes", "1", "--port", "0", "--data", join(folder, "data"), "--kubeconfig", kubeconfig];
  ({ program } = await startUp(args));
  kubectl = await createKubectl({ kubeconfig, home: folder });
}, 90_000);
afterAll(async () => {
  if (program !== undefined) await interrupt(program);
  await rm(folder, { recursive: true, force: true });
}, 60_000);

test("a process pod finds services by name, and its own resolv.conf is not the host's", async () => {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "shell" },
    spec: {
      containers: [{ name: "main", image: "busybox", command: ["sleep", "100000"] }],
      terminationGracePeriodSeconds: 0,
    },
  };
  await kubectl.ok("apply -f -", { stdin: JSON.stringify(pod) });
  await kubectl.ok("wait pod shell --for=condition=Ready --timeout=60s");
  const { stdout } = await kubectl.run("exec shell -- cat /etc/resolv.conf");
  expect(stdout).toContain(
    `nameserver ${await dnsIp()}\nsearch default.svc.cluster.local svc.cluster.local cluster.local`,
  );
  const api = await kubectl.ok("get service kubernetes -o jsonpath={.spec.clusterIP}");
  const found = await eventually(async () => {
    const said = await kubectl.run("exec shell -- getent hosts kubernetes");
    return said.code === 0 ? said.stdout : undefined;
  }, "the service kubernetes");
  expect(found.trim().split(/\s+/)).toEqual([api, "kubernetes.default.svc.cluster.local"]);
});

test("a second server, of its own process, joins the Service and leaves it", async () => {
  const slices = async (): Promise<readonly string[]> => {
    const { items } = await kubectl.in("kube-system").json("get endpointslices -o json");
    return items.map(({ metadata }) => metadata.name).sort();
  };
  const before = await slices();
  expect(before).toHaveLength(1);
  const address = (await dnsIp()).replace(/\.0\.10$/, ".254.1");
  const flags = ["--name", "second", "--address", address, "--port", "0", "--upstream", "none"];
  const second = startCli(["dns", "--kubeconfig", kubeconfig, ...flags]);
  await second.until(/coxswain: dns ready in/);
  expect(await slices()).toEqual([...before, "kube-dns-second"].sort());
  const slice = await kubectl.in("kube-system").json<Slice>("get endpointslice kube-dns-second -o json");
  const port = slice.ports[0]?.port ?? 0;
  expect((await askUdp({ address, port }, "kubernetes.default.svc.cluster.local")).answers).toHaveLength(1);
  expect(await interrupt(second)).toBe(0);
  expect(await slices()).toEqual(before);
});

interface Slice {
  readonly ports: readonly { readonly port: number }[];
}
