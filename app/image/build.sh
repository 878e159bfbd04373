#!/bin/sh
# Lays out the image of the reference application: a layer over this machine's own /usr, for
# `allod image import web-tier DIRECTORY --base host`. What is the same already is left alone.
#
# usage: build.sh BINARY DIRECTORY
set -eu

if [ $# != 2 ] || [ ! -x "$1" ]; then
    echo 'usage: build.sh BINARY DIRECTORY (is the binary built?)' >&2
    exit 2
fi
binary=$1 layer=$2 files=$(dirname "$0")

# put MODE FROM TO
put() {
    cmp -s "$2" "$layer/$3" || install -D -m "$1" "$2" "$layer/$3"
}

put 755 "$binary" usr/local/bin/web-tier
put 755 "$files/etc/rc.local" etc/rc.local
put 644 "$files/etc/web-tier.env" etc/web-tier.env
