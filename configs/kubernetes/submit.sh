#!/bin/sh
# Submits an overlay, in place of the Job before it: submit.sh gpu|cpu|kueue [IMAGE [KUBECTL-OPTION ...]]
set -eu
manifests=$("$(dirname "$0")/render.sh" "${1:-}" "${2:-}")
shift $(($# < 2 ? $# : 2))

# A Job cannot be changed, only made anew, and nothing but the Job: the volume keeps what it did. One that still runs
# is asked to end, and its pods are gone before the new one needs their volume; it goes on where they were.
kubectl "$@" delete job mnist-job --ignore-not-found --cascade=foreground
printf '%s\n' "$manifests" | kubectl "$@" apply --filename -
