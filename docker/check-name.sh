#!/bin/sh
# Exit with 2 unless a name is valid: check-name.sh image|namespace NAME
# Names from outside become parts of commands and manifests, so a quote or a leading `-` in one must not pass.
set -eu
LC_ALL=C  # a range such as a-z has no other letters

alphanumeric='[a-zA-Z0-9]'
host="$alphanumeric([a-zA-Z0-9-]*$alphanumeric)?"
component='[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*'
# The grammar of github.com/distribution/reference, without IPv6 addresses.
domain="$host(\\.$host)*(:[0-9]{1,5})?"
tag='[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}'
digest='[a-zA-Z][a-zA-Z0-9]*([-_+.][a-zA-Z][a-zA-Z0-9]*)*:[0-9a-fA-F]{32,}'
case $1 in
    image)
        grammar="($domain/)?$component(/$component)*(:$tag)?(@$digest)?"
        expected="an image reference such as registry.example.com/mnist-job:0.1.0"
        ;;
    namespace)  # RFC 1123
        grammar='[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?'
        expected="a namespace: at most 63 lowercase letters, digits and hyphens"
        ;;
esac
# grep compares line by line, so a line break is excluded first.
case $2 in
    *[!a-zA-Z0-9._:/@+-]*) ;;
    *) if printf '%s\n' "$2" | grep -Eqx "$grammar" && [ "${#2}" -le 500 ]; then exit 0; fi ;;
esac
printf 'error: the %s name %s is not valid\n  expected: %s\n  remedy:   correct it\n' \
    "$1" "'$(printf '%.200s' "$2" | tr -c '[:print:]' '?')'" "$expected" >&2
exit 2
