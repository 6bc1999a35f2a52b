#!/usr/bin/env bash
# Installs the real parts that the integration tests and `npm start -- --real` need, where they are missing. Debian and its
# relatives, as root; elsewhere it says what to install.
set -euo pipefail

packages=()
need() { # need COMMAND PACKAGE
  PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1 || packages+=("$2")
}
need etcd etcd-server
need containerd containerd
need runc runc
need iptables iptables
need ip6tables iptables
need ipset ipset
need ipvsadm ipvsadm
need nsenter util-linux
need gzip gzip
need nft nftables
need conntrack conntrack
need ip iproute2
need linux.uml user-mode-linux
need busybox busybox-static
[ -x /usr/lib/cni/bridge ] || [ -x /opt/cni/bin/bridge ] || packages+=(containernetworking-plugins)

if [ "${#packages[@]}" -gt 0 ]; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "coxswain: these packages are missing and only root can install them: ${packages[*]}" >&2
    exit 1
  fi
  echo "Installing Debian packages: ${packages[*]}"
  # Servers that come with a package must not start by themselves.
  guard=/usr/sbin/policy-rc.d
  if [ ! -e "$guard" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$guard"
    chmod +x "$guard"
    trap 'rm -f "$guard"' EXIT
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

bash "$(dirname "$0")/provision-kubectl.sh"
bash "$(dirname "$0")/provision-clients.sh"
