#!/bin/sh
# Wait for the newest pod of the job to start and follow its log: logs.sh [KUBECTL-OPTION ...]
set -eu

# If several pods run together, the pod with index 0.
newest() {
    kubectl "$@" get pods --selector app.kubernetes.io/name=mnist-job --sort-by .metadata.creationTimestamp --output \
        'jsonpath={range .items[*]}{.status.phase} {.metadata.name} {.metadata.labels.batch\.kubernetes\.io/job-completion-index}{"\n"}{end}' |
        awk '$3 == "" || $3 == "0" { newest = $1 " " $2 } END { print newest }'
}

# A queued Job has no pod yet; a pod that pulls its image has no log.
waiting=
while pod=$(newest "$@") && case $pod in '' | Pending*) true ;; *) false ;; esac; do
    [ -n "$waiting" ] || echo "waiting for a pod to start ..." >&2
    waiting=yes
    sleep 2
done
exec kubectl "$@" logs --follow "${pod#* }"
