#!/bin/sh
# Print the manifests of an overlay, optionally with another image: render.sh OVERLAY [IMAGE]
set -eu
here=$(dirname "$0")
overlay=${1:-} image=${2:-}
case $overlay in
    '' | *[!a-z0-9-]*) known= ;;  # no other folder
    *) known=$here/overlays/$overlay/kustomization.yaml ;;
esac
[ -f "$known" ] || {
    echo "render.sh: unknown overlay '$overlay', expected one of $(ls -m "$here/overlays")" >&2
    exit 2
}
[ -n "$image" ] || exec kubectl kustomize "$here/overlays/$overlay"
"$here/../../docker/check-name.sh" image "$image"

# kustomize reads only files below its starting folder, and the image only from a file: hence a copy with one more overlay.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
cp -R "$here/." "$scratch"
cat > "$scratch/kustomization.yaml" << END
resources: [overlays/$overlay]
patches:
  - target: {kind: Job}
    patch: '[{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "$image"}]'
  - target: {kind: CronJob}
    patch: '[{"op": "replace", "path": "/spec/jobTemplate/spec/template/spec/containers/0/image", "value": "$image"}]'
  - target: {kind: JobSet}
    patch: '[{"op": "replace", "path": "/spec/replicatedJobs/0/template/spec/template/spec/containers/0/image",
      "value": "$image"}]'
END
kubectl kustomize "$scratch"
