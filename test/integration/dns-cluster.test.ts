import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseIp } from "../../src/api/index.js";
import type { ScenarioCluster } from "./scenario/scenario.js";
import { eventually } from "./support/cli-program.js";
import { startRealCluster } from "./support/cluster-real.js";
import type { Kubectl } from "./support/kubectl.js";

const namespace = "dns-test";
const at = `${namespace}.svc.cluster.local`;

/** What upstream's conformance tests of DNS look up, from pods on containerd, through iptables and the Service's address. */
describe("names in a real cluster", () => {
  let cluster: ScenarioCluster;
  let kubectl: Kubectl;

  beforeAll(async () => {
    cluster = await startRealCluster(["--dual-stack"]);
    await cluster.kubectl.ok(["create", "namespace", namespace]);
    kubectl = cluster.kubectl.in(namespace);
    await kubectl.ok("apply -f -", { stdin: objects(cluster) });
    await kubectl.ok("wait pod --all --for=condition=Ready --timeout=60s");
  }, 240_000);
  afterAll(async () => cluster?.[Symbol.asyncDispose](), 90_000);

  const inPod = (pod: string, ...command: string[]) => kubectl.run(["exec", pod, "--", ...command]);
  async function lookUp(name: string, type = "a", pod = "querier"): Promise<string> {
    const { stdout } = await inPod(pod, "nslookup", `-type=${type}`, name);
    return stdout;
  }
  const finds = (name: string, type: string, expected: RegExp | string, pod = "querier"): Promise<string> =>
    eventually(async () => {
      const said = await lookUp(name, type, pod);
      return (typeof expected === "string" ? said.includes(expected) : expected.test(said)) ? said : undefined;
    }, `${type} ${name}`);
  const ipOf = async (kind: string, name: string, path: string): Promise<string> =>
    (await kubectl.ok(["get", kind, name, "-o", `jsonpath={${path}}`])).trim();

  test("the Service has the tenth address, and leads to the server", async () => {
    const { spec, metadata } = await cluster.kubectl.in("kube-system").json("get service kube-dns -o json");
    expect(spec.clusterIP).toBe("10.96.0.10");
    expect(metadata.labels).toMatchObject({ "k8s-app": "kube-dns" });
    const slices = await cluster.kubectl
      .in("kube-system")
      .json("get endpointslices -l kubernetes.io/service-name=kube-dns -o json");
    expect(slices.items).toHaveLength(1);
  });

  test("pods have the cluster's resolv.conf", async () => {
    const { stdout } = await inPod("querier", "cat", "/etc/resolv.conf");
    expect(stdout).toContain("nameserver 10.96.0.10\n");
    expect(stdout).toMatch(new RegExp(`^search ${at} svc.cluster.local cluster.local`, "m"));
    expect(stdout).toContain("options ndots:5");
    const own = await inPod("own-config", "cat", "/etc/resolv.conf");
    expect(own.stdout).toBe("search my.search\nnameserver 10.96.0.10\noptions ndots:2\n");
  });

  test("services by address and by port", async () => {
    const ip = await ipOf("service", "regular", ".spec.clusterIP");
    await finds(`regular.${at}`, "a", ip);
    await finds(`_http._tcp.regular.${at}`, "srv", `0 100 80 regular.${at}`);
    await finds(reverse(ip), "ptr", `name = regular.${at}`);
    await finds("kubernetes.default.svc.cluster.local", "a", "10.96.0.1");
  });

  test("headless services lead to pods, and pods have names of their own", async () => {
    const ip = await ipOf("pod", "named", ".status.podIP");
    await finds(`headless.${at}`, "a", ip);
    await finds(`front.headless.${at}`, "a", ip);
    await finds(`_http._tcp.headless.${at}`, "srv", `80 front.headless.${at}`);
    await finds(reverse(ip), "ptr", `name = front.headless.${at}`);
    await finds(`${ip.replaceAll(".", "-")}.${namespace}.pod.cluster.local`, "a", ip);
    const { stdout } = await inPod("named", "hostname", "-f");
    expect(stdout.trim()).toBe(`front.headless.${at}`);
  });

  test("services and pods of both families: by name, by address, and on every node's port", async () => {
    const ip = await ipOf("service", "both", ".spec.clusterIPs[1]");
    expect(await ipOf("service", "both", ".spec.ipFamilies[*]")).toBe("IPv4 IPv6");
    await finds(`both.${at}`, "a", await ipOf("service", "both", ".spec.clusterIP"));
    await finds(`both.${at}`, "aaaa", ip);
    await finds(reverse(ip), "ptr", `name = both.${at}`);
    const podIp = await ipOf("pod", "named", ".status.podIPs[1].ip");
    await finds(`both-headless.${at}`, "aaaa", podIp);
    await finds(reverse(podIp), "ptr", `.both-headless.${at}`);
    const port = await ipOf("service", "both", ".spec.ports[0].nodePort");
    const nodes = await ipOf("nodes", "node-1", ".status.addresses[1].address");
    for (const host of [ip, nodes]) {
      const url = `http://[${host}]:${host === ip ? 80 : port}/`;
      const said = await inPod("querier", "timeout", "5", "wget", "-q", "-O", "-", url);
      expect(said.stdout, `${url}: ${said.stderr}`).toContain("front");
    }
    const { stdout } = await inPod("named", "cat", "/etc/hosts");
    expect(stdout).toMatch(new RegExp(`^${podIp}\t`, "m"));
    expect(await kubectl.ok("exec querier -- env")).toMatch(/^POD_IPS=10\.\S+,fdc0:\S+$/m);
  });

  test("a service of another name", async () => {
    const said = await finds(`alias.${at}`, "a", await ipOf("service", "regular", ".spec.clusterIP"));
    expect(said).toContain(`canonical name = regular.${at}`);
    await kubectl.ok(["patch", "service", "alias", "-p", JSON.stringify({ spec: { externalName: `headless.${at}` } })]);
    await finds(`alias.${at}`, "a", await ipOf("pod", "named", ".status.podIP"));
  });

  test.each(["regular", `regular.${namespace}`, `regular.${namespace}.svc`, `regular.${at}`])(
    "a program reaches %s",
    async (name) => {
      const answer = async (): Promise<string> => {
        const said = await inPod("querier", "timeout", "5", "wget", "-q", "-O", "-", `http://${name}/`);
        if (said.code !== 0) throw new Error(said.stderr);
        return said.stdout;
      };
      expect(await eventually(answer, name)).toContain("front");
    },
  );

  test("pods on the node's network ask the cluster where they are told to", async () => {
    await finds(`regular.${at}`, "a", await ipOf("service", "regular", ".spec.clusterIP"), "on-node");
  });

  test("names that are not there, and names of others", async () => {
    expect((await inPod("querier", "nslookup", `none.${at}`)).stdout).toContain("NXDOMAIN");
    expect((await inPod("querier", "nslookup", "example.com.")).stdout).toContain("SERVFAIL");
  });

  test("a service that came and went", async () => {
    await kubectl.ok("create service clusterip brief --tcp=80");
    await finds(`brief.${at}`, "a", await ipOf("service", "brief", ".spec.clusterIP"));
    await kubectl.ok("delete service brief");
    await finds(`brief.${at}`, "a", "NXDOMAIN");
  });
});

function reverse(ip: string): string {
  if (ip.includes(":")) {
    const digits = (parseIp(ip)?.value ?? 0n).toString(16).padStart(32, "0");
    return `${[...digits].reverse().join(".")}.ip6.arpa`;
  }
  return `${ip.split(".").reverse().join(".")}.in-addr.arpa`;
}

function objects({ images }: ScenarioCluster): string {
  const pod = (name: string, spec: object, labels = {}): object => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels },
    spec: { terminationGracePeriodSeconds: 1, ...spec },
  });
  const env = [{ name: "POD_IPS", valueFrom: { fieldRef: { fieldPath: "status.podIPs" } } }];
  const sleeper = { containers: [{ name: "main", image: images.shell, command: ["sleep", "100000"], env }] };
  const service = (name: string, spec: object): object => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name },
    spec,
  });
  const ports = [{ name: "http", port: 80, targetPort: 8080 }];
  const headlessPorts = [{ name: "http", port: 80, targetPort: 80 }];
  const selector = { app: "web" };
  const items = [
    pod("querier", sleeper),
    pod("own-config", {
      ...sleeper,
      dnsPolicy: "None",
      dnsConfig: { nameservers: ["10.96.0.10"], searches: ["my.search"], options: [{ name: "ndots", value: "2" }] },
    }),
    pod("on-node", { ...sleeper, hostNetwork: true, dnsPolicy: "ClusterFirstWithHostNet" }),
    pod(
      "named",
      { containers: [{ name: "main", image: images.web }], hostname: "front", subdomain: "headless" },
      selector,
    ),
    service("regular", { selector, ports }),
    service("both", { selector, ports, type: "NodePort", ipFamilyPolicy: "RequireDualStack" }),
    service("both-headless", { selector, clusterIP: "None", ipFamilyPolicy: "PreferDualStack" }),
    service("headless", { selector, ports: headlessPorts, clusterIP: "None" }),
    service("alias", { type: "ExternalName", externalName: `regular.${at}` }),
  ];
  return JSON.stringify({ apiVersion: "v1", kind: "List", items });
}
