#!/usr/bin/env node
import { Command, Option } from "commander";
import { explain } from "./explain.js";
import { addPartCommands } from "./part-commands.js";
import { up } from "./up.js";
import { parseCount, parsePort, type UpOptions } from "./up-options.js";
import { version } from "./version.js";

const program = new Command("coxswain")
  .description("Kubernetes control-plane building blocks: run a whole cluster, or one part of it.")
  .version(version)
  .showHelpAfterError()
  .configureOutput({ outputError: (text, write) => write(text) });

program
  .command("up")
  .description("Bring up a cluster on this machine, and take it down on Ctrl-C.")
  .option("--real", "etcd, containerd and iptables instead of processes on loopback addresses (Linux, root)", false)
  .option("--dual-stack", "with --real: nodes, pods and Services have IPv4 and IPv6", false)
  .option("--host", "with --real: one node, on this host itself, instead of nodes in network namespaces", false)
  .option("--no-demo", "do not deploy the demo")
  .option("--kubeconfig <path>", "where to write the kubeconfig")
  .option("--port <n>", "where the API listens; 0 is any free port (default: 6443 if free)", parsePort)
  .option("--insecure-port <n>", "also serve plain HTTP, with all rights, on this loopback port", parsePort)
  .option("--nodes <n>", "how many nodes", parseCount, 2)
  .option("--data <dir>", "keep the cluster in this folder; absent: it is gone when it stops")
  .addOption(new Option("--store <kind>", "where objects are kept").choices(["memory", "embedded", "etcd"]))
  .addOption(new Option("--runtime <kind>", "what runs pods").choices(["fake", "process", "cri"]))
  .addOption(
    new Option("--proxy <kind>", "what serves Services").choices(["none", "userspace", "iptables", "ipvs", "nftables"]),
  )
  .option("-v, --verbose", "log what the parts do", false)
  .action((options: UpOptions) => up(options));

addPartCommands(program);

program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`coxswain: ${explain(error)}\n`);
  process.exit(1);
});
