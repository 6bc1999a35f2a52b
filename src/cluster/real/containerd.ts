import { mkdir, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "../../internal/logger.js";
import { CriRuntime } from "../../runtime/cri/index.js";
import { childEnv, findProgram } from "./command.js";
import { Daemon } from "./daemon.js";
import { enter } from "./network.js";
import type { NodePlan } from "./network-plan.js";

export interface ContainerdOptions {
  readonly plan: NodePlan;
  /** For what is kept on disk. */
  readonly dataDir: string;
  /** For sockets and state, with a short path. */
  readonly runDir: string;
  readonly sandboxImage: string;
  /** `http://address:port` of a registry that has every image. */
  readonly registryUrl: string;
  readonly cniBinDir: string;
  /** Name of the pods' network: a file name in /var/lib/cni/results begins with it. */
  readonly networkName: string;
  readonly logger: Logger;
}

export interface Containerd {
  readonly socket: string;
  readonly daemon: Daemon;
}

/** Of linux/magic.h. Overlays cannot lie on one another. */
const overlayMagic = 0x794c7630;

/** A containerd in the node's network namespace, with nothing of the host's own containerd but its programs. */
export async function containerd(options: ContainerdOptions): Promise<Containerd> {
  const { plan, dataDir, runDir, logger } = options;
  const socket = join(runDir, "containerd.sock");
  const config = join(runDir, "config.toml");
  const registry = join(runDir, "certs.d", "_default");
  const network = join(runDir, "net.d");
  const temporary = join(runDir, "tmp");
  for (const folder of [dataDir, registry, network, temporary]) await mkdir(folder, { recursive: true });
  const overlay = (await statfs(dataDir)).type === overlayMagic;
  await writeFile(config, configText(options, overlay ? "native" : "overlayfs", socket));
  await writeFile(join(registry, "hosts.toml"), registryText(options.registryUrl));
  await writeFile(join(network, "10-pods.conflist"), JSON.stringify(networkConfig(options), undefined, 2));
  const daemon = new Daemon({
    name: `containerd of node ${plan.name}`,
    argv: [...enter(plan.netns), await findProgram("containerd", "containerd"), "-c", config],
    env: { ...childEnv, TMPDIR: temporary },
    logFile: join(dataDir, "containerd.log"),
    probe: (signal) => serves(socket, signal),
    logger,
  });
  return { socket, daemon };
}

async function serves(socket: string, signal: AbortSignal): Promise<boolean> {
  await using runtime = new CriRuntime({ socket });
  const { conditions } = await runtime.status({ signal });
  return conditions.length > 0 && conditions.every(({ status }) => status);
}

/**
 * Without restrict_oom_score_adj no sandbox starts where root may not lower its score; without netns_mounts_under_state_dir
 * the first `ip netns add` takes the namespaces of older sandboxes away. NRI's socket would be the
 * same for every containerd of the machine. The format is version 2, which containerd 2 reads too.
 */
function configText(
  { plan, dataDir, runDir, sandboxImage, cniBinDir }: ContainerdOptions,
  snapshotter: string,
  socket: string,
): string {
  const cri = `plugins."io.containerd.grpc.v1.cri"`;
  const text = JSON.stringify;
  return `version = 2
root = ${text(join(dataDir, "root"))}
state = ${text(join(runDir, "state"))}
oom_score = 0
[grpc]
  address = ${text(socket)}
[plugins."io.containerd.internal.v1.opt"]
  path = ${text(join(dataDir, "opt"))}
[plugins."io.containerd.nri.v1.nri"]
  disable = true
[${cri}]
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  sandbox_image = ${text(sandboxImage)}
  stream_server_address = ${text(plan.address)}
  stream_server_port = "0"
  [${cri}.cni]
    bin_dir = ${text(cniBinDir)}
    conf_dir = ${text(join(runDir, "net.d"))}
    max_conf_num = 1
  [${cri}.registry]
    config_path = ${text(join(runDir, "certs.d"))}
  [${cri}.containerd]
    snapshotter = ${text(snapshotter)}
    default_runtime_name = "runc"
    [${cri}.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [${cri}.containerd.runtimes.runc.options]
        Root = ${text(join(runDir, "runc"))}
        SystemdCgroup = false
`;
}

function registryText(url: string): string {
  return `server = "${url}"\n[host."${url}"]\n  capabilities = ["pull", "resolve"]\n`;
}

function networkConfig({ plan, runDir, networkName }: ContainerdOptions): object {
  return {
    cniVersion: "0.4.0",
    name: networkName,
    plugins: [
      {
        type: "bridge",
        bridge: plan.bridge,
        isGateway: true,
        ipMasq: false,
        hairpinMode: true,
        ipam: {
          type: "host-local",
          dataDir: join(runDir, "ipam"),
          ranges: [plan.podCidr, plan.six?.podCidr ?? []].flat().map((subnet) => [{ subnet }]),
          routes: [{ dst: "0.0.0.0/0" }, ...(plan.six === undefined ? [] : [{ dst: "::/0" }])],
        },
      },
      { type: "portmap", capabilities: { portMappings: true }, snat: true },
    ],
  };
}
