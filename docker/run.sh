#!/bin/sh
# Run the job in its container as the calling user. `make docker-run` passes its variables in the environment:
#   IMAGE    the image
#   CONFIG   the configuration; its folder is mounted, with all files that it extends or uses there and below
#   RUNS     the folder for artifacts and runs, or a URL such as s3://bucket/prefix. For a URL the container gets the
#            variables AWS_*, AZURE_*, GOOGLE_*, JOB_REMOTE_*, those of proxies, and the files that they name. /output is then
#            JOB_CACHE, by default ~/.cache/mnist-job
#   DATA     a folder of data (optional): /data in the container
#   GPU      0 for none; by default all GPUs if Docker has the NVIDIA runtime
#   NETWORK  none for no network; the download of MNIST needs one
# Arguments go to the job: --set trainer.epochs=3
set -eu

fail() {
    printf 'error: %s\n  expected: %s\n  remedy:   %s\n' "$2" "$3" "$4" >&2
    exit "$1"
}

"$(dirname -- "$0")/check-name.sh" image "$IMAGE"
[ -f "$CONFIG" ] || fail 2 "CONFIG: $CONFIG is not a file" "a configuration" "name one: make docker-run CONFIG=configs/mnist.yaml"
[ -z "${DATA:-}" ] || [ -d "$DATA" ] || fail 2 "DATA: $DATA is not a folder" "a folder of data" "correct its name"
root=
case $RUNS in
    *://*) root=$RUNS RUNS=${JOB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mnist-job} ;;
esac
[ ! -e "$RUNS" ] || [ -d "$RUNS" ] || fail 2 "RUNS: $RUNS is not a folder" "a folder, or a name for one" "correct its name"
engine=$(docker info --format '{{.SecurityOptions}} {{range $name, $_ := .Runtimes}}runtime={{$name}} {{end}}' 2>/dev/null) ||
    fail 5 "no container engine is running" "Docker, and a user with access to it" "start it, or run without a container: make run"
docker image inspect "$IMAGE" >/dev/null 2>&1 || [ "${IMAGE#*/}" != "$IMAGE" ] ||
    fail 2 "the image $IMAGE does not exist" "a local image, or REGISTRY/NAME:TAG" "build it: make docker-build (ACCELERATOR=cpu for the CPU image)"

# In rootless Docker the root user of a container is the calling user.
case $engine in
    *rootless*) user=0:0 ;;
    *) user=$(id -u):$(id -g) ;;
esac
gpus=
case "${GPU:-} $engine" in
    "0 "*) ;;
    *runtime=nvidia*) gpus="--gpus all" ;;
esac
terminal=
if [ -t 0 ] && [ -t 1 ]; then terminal="--interactive --tty"; fi

mkdir -p -- "$RUNS"  # Docker would create it as root
bind() { printf 'type=bind,"source=%s",target=%s' "$(cd -- "$1" && pwd)" "$2"; }
set -- "$IMAGE" run --config "/config/$(basename -- "$CONFIG")" "$@"
if [ -n "$root" ]; then
    export JOB_ROOT="$root"
    # Names only: a value in a command can be read by all users of the machine.
    for name in $(env | grep -Eio '^(JOB_(ROOT|CACHE_MAX_SIZE|REMOTE_[A-Z]+)|(AWS|AZURE|GOOGLE)_[A-Z0-9_]+|(https?|no)_proxy)=' | tr -d =); do
        set -- --env "$name" "$@"
        eval "value=\${$name-}"
        # A file of credentials or tokens, at the same path in the container.
        # shellcheck disable=SC2154  # the eval sets it
        case $value in
            /*) [ ! -f "$value" ] || set -- --mount "type=bind,\"source=$value\",\"target=$value\",readonly" "$@" ;;
        esac
    done
fi
[ -z "${DATA:-}" ] || set -- --mount "$(bind "$DATA" /data),readonly" "$@"
# shellcheck disable=SC2086  # each is several words, or empty
exec docker run --rm $terminal $gpus \
    --user "$user" --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
    --network "${NETWORK:-bridge}" --shm-size 1g --stop-timeout 30 \
    --mount "$(bind "$(dirname -- "$CONFIG")" /config),readonly" --mount "$(bind "$RUNS" /output)" \
    "$@"
