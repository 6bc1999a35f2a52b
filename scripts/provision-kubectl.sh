#!/usr/bin/env bash
# Makes sure of a kubectl of version 1.32 or newer: $KUBECTL, the one on the PATH, or that of a newer Debian, unpacked beside
# the project's packages without touching the system's own.
set -euo pipefail
target="$(cd "$(dirname "$0")/.." && pwd)/node_modules/.cache/kubectl"

new_enough() {
  local version minor
  version=$("$1" version --client 2>/dev/null | sed -n 's/^Client Version: v1\.\([0-9]*\).*/\1/p') || return 1
  minor=${version:-0}
  [ "$minor" -ge 32 ]
}

for candidate in "${KUBECTL:-}" kubectl "$target/usr/bin/kubectl"; do
  [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 && new_enough "$candidate" && exit 0
done

if ! command -v apt-get >/dev/null; then
  echo "coxswain: kubectl 1.32 or newer is needed: put it on the PATH or name it in KUBECTL" >&2
  exit 1
fi
echo "Fetching kubectl"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$target"
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null |
  grep -oE 'https?://[^ ]+' | grep -v security | head -n 1)
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" >"$work/sources.list"
options=(-o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=/dev/null -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root)
apt-get "${options[@]}" update -qq
(cd "$work" && apt-get "${options[@]}" download -qq kubectl && dpkg -x kubectl_*.deb "$target")
