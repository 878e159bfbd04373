"""A region of its own for the tests, started as a user starts it, and unmodified clients for it.

The tests need root (instances are made of namespaces and cgroups) and the binary `allod`: the one that ALLOD_BIN
names, else target/release/allod, else target/debug/allod.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import boto3
import pytest
from botocore.config import Config

sys.path.insert(0, os.path.dirname(__file__))
from calls import record  # noqa: E402
from region import ROOT, Region, binary  # noqa: E402


@pytest.fixture(scope="session")
def region():
    """One region for all tests of the session, on a port of its own."""
    assert os.geteuid() == 0, "these tests make instances: run them as root"
    data = pathlib.Path(tempfile.mkdtemp(prefix="allod-conformance-"))
    region = Region(data, port=int(os.environ.get("ALLOD_TEST_PORT", "4599")))
    before = region.leftovers()
    region.start()
    try:
        yield region
    finally:
        logs = region.logs()
        region.down()
        after = region.leftovers()
        shutil.rmtree(data, ignore_errors=True)
        assert not after - before, f"left behind after `allod down`: {sorted(after - before)}\n{logs}"


@pytest.fixture(scope="session")
def client(region):
    """Makes boto3 clients: client("ec2")."""

    def make(service):
        return record(boto3.client(service, config=Config(retries={"max_attempts": 0}), **region.client_arguments()))

    return make


@pytest.fixture(scope="session")
def image(region):
    """The reference application as a machine image called web-tier; gives the image's id."""
    layer = region.data / "layer"
    subprocess.run(["sh", str(ROOT / "app/image/build.sh"), str(binary("web-tier")), str(layer)], check=True)
    out = region.run("image", "import", "web-tier", str(layer), "--base", "host")
    return out.split()[0]


@pytest.fixture(scope="session")
def web_tier(region, image):
    """stacks/web-tier.yaml, deployed by `allod up`."""
    out = json.loads(region.run("up", str(ROOT / "stacks/web-tier.yaml"), "--stack-name", "web-tier", "--output", "json"))
    assert out["stack"]["StackStatus"] == "CREATE_COMPLETE"
    return out["stack"]
