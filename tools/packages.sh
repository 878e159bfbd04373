#!/bin/sh
# Installs the Debian packages that a purpose needs and that are missing, and says which before it does so. On other
# systems it lists what to install; it stops only when something is really missing.
#
# usage: packages.sh up|test
set -eu

# What runs the region: the host process loads libnftables to write packet filters. Everything else is the kernel's.
for_up='libnftables1'
# What the tests use besides: `ip` and `curl`, inside instances too, which have the machine's /usr; a whole small root
# file system (busybox, linked statically); a browser for the console; openssl to check
# signatures; real clients in a virtual environment.
for_test='libnftables1 nftables iproute2 procps curl jq python3-venv busybox-static chromium openssl'

# Whether what a package brings is there, on any system.
is_there() {
    case $1 in
    libnftables1) find /usr/lib /usr/lib64 /lib/ -name libnftables.so.1 | grep . ;;
    nftables) command -v nft || test -x /usr/sbin/nft ;;
    iproute2) command -v ip || test -x /usr/sbin/ip ;;
    procps) command -v ps ;;
    busybox-static) command -v busybox ;;
    python3-venv) python3 -c 'import ensurepip, venv' ;;
    *) command -v "$1" ;;
    esac >/dev/null 2>&1
}

# Debian 12 or newer, or a system that calls itself one of its family.
is_debian() {
    test -r /etc/os-release && command -v apt-get >/dev/null || return 1
    # shellcheck source=/dev/null
    (. /etc/os-release
    case "${ID:-}" in
    debian) test "${VERSION_ID:-99}" -ge 12 ;;
    *) case " ${ID_LIKE:-} " in *' debian '*) : ;; *) false ;; esac ;;
    esac)
}

case ${1:-} in
up) wanted=$for_up ;;
test) wanted=$for_test ;;
*) echo 'usage: packages.sh up|test' >&2; exit 2 ;;
esac

missing=
for package in $wanted; do
    is_there "$package" || missing="$missing $package"
done
test -n "$missing" || exit 0

if ! is_debian; then
    echo "This is not Debian 12 or newer: please install what these packages of Debian bring, and try again:$missing" >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    echo "Missing packages; as root: apt-get install --no-install-recommends$missing" >&2
    exit 1
fi
echo "Installing from Debian:$missing"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # a list of names
apt-get install --quiet --quiet --yes --no-install-recommends $missing >/dev/null 2>&1 || {
    # The lists are old or were never fetched.
    apt-get update --quiet --quiet
    # shellcheck disable=SC2086
    apt-get install --quiet --quiet --yes --no-install-recommends $missing
}
