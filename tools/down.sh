#!/bin/sh
# `make down`: stops the region and everything that it runs. Records and disks stay for the next `make up`;
# `allod down --purge` deletes them too.
set -eu
cd "$(dirname "$0")/.."

allod=target/release/allod
if [ ! -x "$allod" ]; then
    echo 'Nothing is built here, so nothing runs.'
    exit 0
fi
exec "$allod" down
