#!/bin/sh
# Submit an overlay and replace an earlier Job: submit.sh OVERLAY [IMAGE [KUBECTL-OPTION ...]]
set -eu
manifests=$("$(dirname "$0")/render.sh" "${1:-}" "${2:-}")
shift $(($# < 2 ? $# : 2))

# A Job is immutable, so the earlier one is deleted; the volume with its results stays. A running Job is terminated, and
# its pods have exited before the new Job mounts the volume and resumes their work.
kubectl "$@" delete job mnist-job --ignore-not-found --cascade=foreground
case $manifests in
    *"kind: JobSet"*) kubectl "$@" delete jobset mnist-job --ignore-not-found --cascade=foreground ;;
esac
printf '%s\n' "$manifests" | kubectl "$@" apply --filename -
