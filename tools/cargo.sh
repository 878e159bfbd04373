#!/bin/sh
# Runs cargo as the user who owns the toolchain: under sudo that is whoever called it, so that `sudo make up` finds
# the toolchain in their home and leaves no files of root's in target/.
set -eu

if [ "$(id -u)" = 0 ] && [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ]; then
    home=$(getent passwd "$SUDO_USER" | cut -d: -f6)
    if [ -x "$home/.cargo/bin/cargo" ]; then
        exec runuser -u "$SUDO_USER" -- env HOME="$home" PATH="$home/.cargo/bin:$PATH" cargo "$@"
    fi
fi
PATH=$PATH:${HOME:-/root}/.cargo/bin
export PATH
for tool in cargo cc; do
    command -v "$tool" >/dev/null || {
        echo "$tool is missing: Allod needs a Rust toolchain (1.95 or newer, https://rustup.rs) and a C compiler (Debian: gcc libc6-dev)" >&2
        exit 1
    }
done
exec cargo "$@"
