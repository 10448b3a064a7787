#!/bin/sh
# Wait for the newest pod of the Job to start and follow its log: logs.sh [KUBECTL-OPTION ...]
set -eu

newest() {
    kubectl "$@" get pods --selector batch.kubernetes.io/job-name=mnist-job --sort-by .metadata.creationTimestamp \
        --output 'jsonpath={range .items[*]}{.status.phase} {.metadata.name}{"\n"}{end}' | tail -n 1
}

# A queued Job has no pod yet; a pod that pulls its image has no log.
waiting=
while pod=$(newest "$@") && case $pod in '' | Pending*) true ;; *) false ;; esac; do
    [ -n "$waiting" ] || echo "waiting for a pod to start ..." >&2
    waiting=yes
    sleep 2
done
exec kubectl "$@" logs --follow "${pod#* }"
