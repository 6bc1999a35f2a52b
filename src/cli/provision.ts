import { spawn } from "node:child_process";
import { access, constants, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "./up-options.js";

interface Needed {
  readonly program: string;
  readonly debianPackage: string;
}

const always: readonly Needed[] = [
  { program: "ip", debianPackage: "iproute2" },
  { program: "nsenter", debianPackage: "util-linux" },
  { program: "containerd", debianPackage: "containerd" },
  { program: "runc", debianPackage: "runc" },
  { program: "busybox", debianPackage: "busybox-static" },
  { program: "iptables", debianPackage: "iptables" },
  { program: "conntrack", debianPackage: "conntrack" },
];

const byStore: Readonly<Record<string, readonly Needed[]>> = {
  etcd: [{ program: "etcd", debianPackage: "etcd-server" }],
};

const byProxy: Readonly<Record<string, readonly Needed[]>> = {
  ipvs: [
    { program: "ipvsadm", debianPackage: "ipvsadm" },
    { program: "ipset", debianPackage: "ipset" },
  ],
  nftables: [{ program: "nft", debianPackage: "nftables" }],
};

const folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
const pluginFolders = ["/usr/lib/cni", "/opt/cni/bin"];
/** While it is there, Debian's packages do not start the servers that they bring. */
const startGuard = "/usr/sbin/policy-rc.d";

/** Makes sure of the programs that a real cluster needs: installs their Debian packages where that can be done, and says so. */
export async function provision(store: string, proxy: string, say: (text: string) => void): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new UsageError("--real needs root: it makes network namespaces and containers");
  }
  const missing: string[] = [];
  for (const { program, debianPackage } of [...always, ...(byStore[store] ?? []), ...(byProxy[proxy] ?? [])]) {
    if (!(await exists(program, folders))) missing.push(debianPackage);
  }
  if (!(await exists("bridge", pluginFolders))) missing.push("containernetworking-plugins");
  if (missing.length === 0) return;
  if (!(await exists("apt-get", folders))) {
    throw new UsageError(`these are missing, and there is no apt-get to install them: ${missing.join(", ")}`);
  }
  say(`Installing Debian packages: ${missing.join(", ")}`);
  await install(missing);
}

async function exists(program: string, where: readonly string[]): Promise<boolean> {
  for (const folder of where) {
    const found = await access(join(folder, program), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}

async function install(packages: readonly string[]): Promise<void> {
  const guarded = await writeFile(startGuard, "#!/bin/sh\nexit 101\n", { mode: 0o755, flag: "wx" }).then(
    () => true,
    () => false,
  );
  try {
    await run("apt-get", ["update", "-qq"]);
    await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages]);
  } finally {
    if (guarded) await rm(startGuard, { force: true });
  }
}

function run(program: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-2000);
    });
    child.on("error", reject);
    child.on("exit", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${program} ${args[0]} failed: ${said.trim().split("\n").at(-1) ?? code}`));
    });
  });
}
