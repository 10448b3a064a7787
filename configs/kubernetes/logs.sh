#!/bin/sh
# Follows what the newest pod of the Job says, once it has begun: logs.sh [KUBECTL-OPTION ...]
set -eu

newest() {
    kubectl "$@" get pods --selector batch.kubernetes.io/job-name=mnist-job --sort-by .metadata.creationTimestamp \
        --output 'jsonpath={range .items[*]}{.status.phase} {.metadata.name}{"\n"}{end}' | tail -n 1
}

# A Job that waits in a queue has no pod yet; one whose image is being pulled has nothing to say.
told=
while pod=$(newest "$@") && case $pod in '' | Pending*) true ;; *) false ;; esac; do
    [ -n "$told" ] || echo "waiting for a pod to begin ..." >&2
    told=yes
    sleep 2
done
exec kubectl "$@" logs --follow "${pod#* }"
