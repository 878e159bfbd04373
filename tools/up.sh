#!/bin/sh
# `make up`: from a fresh machine to the reference stack behind its load balancer. Every step does nothing when its
# work is done already, so that a second run changes nothing.
set -eu
cd "$(dirname "$0")/.."

if [ "$(id -u)" != 0 ]; then
    echo 'Instances are made of namespaces and cgroups, which needs root: run `sudo make up`.' >&2
    exit 1
fi
if [ "$(uname -s)" != Linux ]; then
    echo 'Allod runs on Linux.' >&2
    exit 1
fi
sh tools/packages.sh up

began=$(date +%s)
echo 'Building (the first time takes some minutes)'
sh tools/cargo.sh build --release --quiet --package allod --package web-tier
built=$(date +%s)

allod=target/release/allod
"$allod" serve --background
sh app/image/build.sh target/release/web-tier target/image/web-tier
"$allod" image import web-tier target/image/web-tier --base host
"$allod" up stacks/web-tier.yaml --stack-name web-tier
echo
"$allod" status
ended=$(date +%s)
echo "Took     $((ended - built)) s, and $((built - began)) s to build"
