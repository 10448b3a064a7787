#!/bin/sh
# Prints the manifests of an overlay, with another image where one is named: render.sh gpu|cpu|kueue [IMAGE]
set -eu
here=$(dirname "$0")
overlay=${1:-} image=${2:-}
[ -f "$here/overlays/$overlay/kustomization.yaml" ] || {
    echo "render.sh: there is no overlay '$overlay'; there are $(ls -m "$here/overlays")" >&2
    exit 2
}
[ -n "$image" ] || exec kubectl kustomize "$here/overlays/$overlay"

# kustomize takes only files below where it starts, and an image only from a file: one more overlay, of a copy.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
cp -R "$here/." "$scratch"
cat > "$scratch/kustomization.yaml" << END
resources: [overlays/$overlay]
patches:
  - target: {kind: Job}
    patch: '[{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "$image"}]'
END
kubectl kustomize "$scratch"
