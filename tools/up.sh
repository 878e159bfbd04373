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

# Milliseconds, and seconds between two of them.
now() { date +%s%3N; }
since() { awk -v from="$1" -v to="$2" 'BEGIN { printf "%.1f", (to - from) / 1000 }'; }

began=$(now)
echo 'Building (the first time takes some minutes)'
sh tools/cargo.sh build --release --quiet --package allod --package web-tier
built=$(now)

allod=target/release/allod
"$allod" serve --background
sh app/image/build.sh target/release/web-tier target/image/web-tier
"$allod" image import web-tier target/image/web-tier --base host
"$allod" up stacks/web-tier.yaml --stack-name web-tier

# A new target serves after its first passed health check: give those a moment, and then show what is.
looks=0
while [ $looks -lt 100 ] && "$allod" status --output json | grep -q '"state": "initial"'; do
    looks=$((looks + 1))
    sleep 0.1
done
echo
"$allod" status
echo "Took     $(since "$built" "$(now)") s, and $(since "$began" "$built") s to build"
