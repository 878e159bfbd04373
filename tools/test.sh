#!/bin/sh
# `make test`: every check and test. The real clients (boto3, aws, cfn-lint, pytest) live in target/venv, made anew
# when their list changes.
set -eu
cd "$(dirname "$0")/.."

sh tools/packages.sh test
list=conformance/requirements.txt
venv=target/venv
if ! cmp -s "$list" "$venv/requirements.txt"; then
    echo "Installing the real clients of $list into $venv"
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$list"
    cp "$list" "$venv/requirements.txt"
fi
PATH=$PWD/$venv/bin:$PATH
export PATH
exec sh tools/cargo.sh xtask ci "$@"
