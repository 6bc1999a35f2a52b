import { hostname } from "node:os";
import { type Command, Option } from "commander";
import { type Client, createClient, HttpTransport, type HttpTransportOptions } from "../client/index.js";
import { accessFrom, loadKubeconfig } from "../client/kubeconfig.js";
import type { Logger } from "../internal/logger.js";
import { systemRandom } from "../internal/random.js";
import { uuid } from "../internal/uuid.js";
import { type ApiServerFlags, apiServerPart } from "./api-server-part.js";
import { addAuditFlags } from "./audit-flags.js";
import { addAuthenticationFlags } from "./authentication-flags.js";
import { addAuthorizationFlags } from "./authorization-flags.js";
import { consoleLogger } from "./console-logger.js";
import { type ControllerManagerFlags, controllerManagerPart } from "./controller-manager-part.js";
import { type DnsFlags, dnsPart } from "./dns-part.js";
import { addEncryptionFlags } from "./encryption-flags.js";
import { parseListenAddress } from "./listen-address.js";
import { type NodeFlags, nodePart } from "./node-part.js";
import { type ProxyFlags, proxyPart } from "./proxy-part.js";
import { runPart } from "./run-part.js";
import { type SchedulerFlags, schedulerPart } from "./scheduler-part.js";
import { parseCount, parseLimit, parsePort } from "./up-options.js";

export interface PartFlags {
  readonly kubeconfig: string;
  readonly verbose: boolean;
}

/** What a part of its own process is made with. */
export interface PartAccess {
  readonly client: Client;
  readonly server: string;
  readonly ca: string | undefined;
  readonly clientCertificate: string | undefined;
  readonly clientKey: string | undefined;
  readonly transport: HttpTransportOptions;
  readonly logger: Logger;
}

interface ElectionFlags {
  readonly leaderElect: boolean;
}

/** The subcommands that run one part each, against any Kubernetes API that a kubeconfig leads to. */
export function addPartCommands(program: Command): void {
  const apiServer = program
    .command("apiserver")
    .description("Run an API server. Several on one etcd make one API.")
    .addOption(
      new Option("--store <kind>", "where objects are kept")
        .choices(["memory", "embedded", "etcd"])
        .default("embedded"),
    )
    .option("--etcd <urls>", "the etcd servers, separated by commas", "http://127.0.0.1:2379")
    .requiredOption("--data <dir>", "folder for certificates, the kubeconfig and the embedded store")
    .option("--host <address>", "where to listen", "127.0.0.1")
    .option("--advertise <address>", "how nodes and pods reach it; absent: --host")
    .option("--port <n>", "0 is any free port", parsePort, 6443)
    .option(
      "--service-cluster-ip-range <blocks>",
      "the addresses of Services, one block or one of each family; the first one's family is the default",
      "10.96.0.0/12",
    )
    .option("--max-requests-inflight <n>", "how many reads at once; flow control adds writes", parseLimit, 400)
    .option("--max-mutating-requests-inflight <n>", "how many writes at once", parseLimit, 200)
    .option("--no-priority-and-fairness", "limit reads and writes by number alone, whoever asks")
    .option("--kubeconfig <path>", "where to write the administrator's kubeconfig; absent: in the data folder")
    .option("-v, --verbose", "log what it does", false);
  const withFlags = addEncryptionFlags(addAuditFlags(addAuthorizationFlags(addAuthenticationFlags(apiServer))));
  withFlags.action((flags: ApiServerFlags) => runPart(apiServerPart(flags)));
  part(program, "controller-manager", "Run the controllers.")
    .option("--controllers <names>", "which, separated by commas; * is all, -name leaves one out", "*")
    .option("--no-leader-elect", "work without being elected among several")
    .option("--use-service-account-credentials", "each controller works as its own service account", false)
    .option("--root-ca-file <path>", "what namespaces and tokens are told to trust; absent: the kubeconfig's")
    .option("--service-account-private-key-file <path>", "signs the tokens of Secrets; absent: they stay empty")
    .option("--cluster-signing-cert-file <path>", "the authority that signs certificate requests; absent: nobody does")
    .option("--cluster-signing-key-file <path>", "its key")
    .option("--allocate-node-cidrs", "give each node a part of --cluster-cidr", false)
    .option("--cluster-cidr <blocks>", "the addresses of all pods, one block of each family")
    .action(async (flags: PartFlags & ElectionFlags & ControllerManagerFlags) => {
      const election = flags.leaderElect ? candidate("kube-controller-manager") : undefined;
      await runPart(await controllerManagerPart(await accessOf(flags), flags, election));
    });
  part(program, "scheduler", "Run the scheduler.")
    .option("--config <path>", "a KubeSchedulerConfiguration: profiles, policies and their arguments, extenders")
    .option("--no-leader-elect", "work without being elected among several")
    .action(async (flags: PartFlags & SchedulerFlags) => {
      const { client, logger } = await accessOf(flags);
      await runPart(await schedulerPart({ client, logger }, flags, candidate("kube-scheduler")));
    });
  part(program, "node", "Run the agent of a node.")
    .option("--name <name>", "the node's name", hostname().toLowerCase())
    .requiredOption("--root <dir>", "folder for volumes, logs and state")
    .addOption(new Option("--runtime <kind>", "what runs pods").choices(["process", "cri"]).default("process"))
    .option("--cri-socket <path>", "of containerd", "/run/containerd/containerd.sock")
    .option("--address <ips>", "of this node, one of each family; its API listens at the first one", "127.0.0.1")
    .option("--port <n>", "where the node's API listens", parsePort, 10_250)
    .option("--pod-cidr <blocks>", "the addresses of this node's pods, one block of each family")
    .option("--cluster-dns <ips>", "name servers of pods, separated by commas")
    .option("--cluster-domain <name>", "the cluster's domain (default: cluster.local)")
    .option("--resolv-conf <path>", "what pods with dnsPolicy Default get (default: /etc/resolv.conf)")
    .option("--cgroup-root <path>", "control group of all pods")
    .option(
      "--allowed-unsafe-sysctls <names>",
      "kernel parameters that pods may set beyond the safe ones, as net.core.*,...",
    )
    .option(
      "--eviction-hard <thresholds>",
      "evict pods at once below these: memory.available<100Mi,nodefs.available<10%",
    )
    .option("--eviction-soft <thresholds>", "evict pods below these after a grace period")
    .option("--eviction-soft-grace-period <periods>", "of each soft threshold: memory.available=1m30s")
    .option("--eviction-max-pod-grace-period <seconds>", "the longest that pods get then", parseLimit)
    .option("--eviction-minimum-reclaim <amounts>", "what is to be free beyond the threshold: nodefs.available=2Gi")
    .option("--eviction-pressure-transition-period <duration>", "how long pressure is reported after it was seen; 5m")
    .option("--image-gc-high-threshold <percent>", "remove unused images above so much disk usage; 85", parseCount)
    .option("--image-gc-low-threshold <percent>", "until no more than so much is used; 80", parseCount)
    .option("--minimum-image-ttl-duration <duration>", "none that came less than so long ago; 2m")
    .option("--image-maximum-gc-age <duration>", "remove images that nobody used for so long; 0s is never")
    .action(async (flags: PartFlags & NodeFlags) => runPart(await nodePart(await accessOf(flags), flags)));
  part(program, "proxy", "Serve the cluster's Services on this node.")
    .option("--node-name <name>", "the node it runs on", hostname().toLowerCase())
    .addOption(
      new Option("--backend <kind>", "how").choices(["userspace", "iptables", "ipvs", "nftables"]).default("iptables"),
    )
    .option("--cluster-cidr <blocks>", "the addresses of all pods, one block of each family")
    .addOption(listenOption("--healthz-bind-address <ip:port>", "where /healthz and /livez are", "0.0.0.0:10256"))
    .addOption(listenOption("--metrics-bind-address <ip:port>", "where /metrics and /proxyMode are", "127.0.0.1:10249"))
    .action(async (flags: PartFlags & ProxyFlags) => runPart(await proxyPart(await accessOf(flags), flags)));
  part(program, "dns", "Answer for the names of Services and pods.")
    .option("--name <name>", "tells this server from others", hostname().toLowerCase())
    .requiredOption("--address <ips>", "where to listen, separated by commas")
    .option("--port <n>", "0 is any free port", parsePort, 53)
    .option("--domain <name>", "the cluster's domain", "cluster.local")
    .option("--upstream <ips>", "resolvers for other names, separated by commas, or none; absent: /etc/resolv.conf's")
    .option("--cluster-ip <ip>", "of the Service kube-dns, if it is to be made; absent: the tenth of the range")
    .addOption(
      listenOption("--metrics-bind-address <ip:port>", "where /metrics, /health and /ready are", "127.0.0.1:9153"),
    )
    .option("--no-publish", "only read from the API: somebody else leads pods here")
    .action(async (flags: PartFlags & DnsFlags) => runPart(await dnsPart(await accessOf(flags), flags)));
}

function listenOption(flags: string, description: string, standard: string): Option {
  return new Option(flags, `${description}; port 0: nowhere`)
    .argParser(parseListenAddress)
    .default(parseListenAddress(standard), standard);
}

function part(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .requiredOption("--kubeconfig <path>", "how to reach the API, and as whom")
    .option("-v, --verbose", "log what it does", false);
}

async function accessOf({ kubeconfig, verbose }: PartFlags): Promise<PartAccess> {
  const logger = consoleLogger((line) => process.stderr.write(line), verbose);
  const { options } = await accessFrom(await loadKubeconfig([kubeconfig]));
  const { server, ca, clientCertificate, clientKey } = options;
  const client = createClient(new HttpTransport(options));
  return { client, server, ca, clientCertificate, clientKey, transport: options, logger };
}

/** Who stands for election: one identity for each process. */
function candidate(name: string): { namespace: string; name: string; identity: string } {
  return { namespace: "kube-system", name, identity: `${hostname()}_${uuid(systemRandom)}` };
}
