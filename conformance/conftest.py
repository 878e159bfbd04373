"""A region of its own for the tests, started as a user starts it, and unmodified clients for it.

The tests need root (instances are made of namespaces and cgroups) and the binary `allod`: the one that ALLOD_BIN
names, else target/release/allod, else target/debug/allod.
"""

import json
import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from calls import clients  # noqa: E402
from region import ROOT, binary, running  # noqa: E402


@pytest.fixture(scope="session")
def region():
    """One region for all tests of the session."""
    with running() as region:
        yield region


@pytest.fixture(scope="session")
def quick():
    """One region whose metrics have a period of a second."""
    with running(31, "--metric-period", "1") as region:
        yield region


@pytest.fixture(scope="session")
def client(region):
    return clients(region)


@pytest.fixture(scope="session")
def quick_client(quick):
    # It is killed and stopped in some tests: one that comes back refuses connections for a moment.
    return clients(quick, max_attempts=4)


@pytest.fixture(scope="module")
def ec2(client):
    return client("ec2")


@pytest.fixture(scope="module")
def scaling(client):
    return client("autoscaling")


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
