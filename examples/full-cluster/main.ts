// readme:begin
import { once } from "node:events";
import { writeKubeconfig } from "coxswain/client";
import { folderPkiStorage, machine, startCluster } from "coxswain/cluster";
import { IptablesProxy } from "coxswain/proxy/iptables";
import { CriRuntime } from "coxswain/runtime/cri";
import { EtcdStore } from "coxswain/store/etcd";

const [, , host = "192.0.2.10", dir = "/var/lib/coxswain", socket = "/run/containerd/containerd.sock"] = process.argv;
await using store = new EtcdStore({ endpoints: ["http://127.0.0.1:2379"] });
await using runtime = new CriRuntime({ socket });
const parts = machine({ address: host, rootDir: dir, runtime, proxy: new IptablesProxy() });
await using cluster = await startCluster({ store, host, port: 6443, pki: folderPkiStorage(`${dir}/pki`), parts });
await writeKubeconfig(`${dir}/kubeconfig`, await cluster.kubeconfig());
await once(process, "SIGINT");
// readme:end
