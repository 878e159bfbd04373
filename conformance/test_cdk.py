"""The CDK, unmodified: what it deploys serves, and what it deploys twice changes nothing.

Needs node and what `npm install` puts into stacks/cdk.
"""

import http.client
import json
import shutil
import subprocess

import pytest
from region import ROOT

APP = ROOT / "stacks/cdk"
STACK = "web-tier-cdk"


@pytest.fixture
def cdk(region, image, tmp_path):
    """Runs cdk in stacks/cdk; what it made is destroyed at the end."""
    program = APP / "node_modules/.bin/cdk"
    if shutil.which("node") is None or not program.exists():
        pytest.skip("needs node, and `npm install` in stacks/cdk")
    environment = {**region.environment(), "CDK_DISABLE_VERSION_CHECK": "1", "CI": "1"}

    def run(*arguments, codes=(0,)):
        command = [str(program), "--output", str(tmp_path / "out"), "--no-notices", *arguments]
        done = subprocess.run(command, cwd=APP, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode in codes, f"cdk {arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    yield run
    run("destroy", "--force")


def test_a_web_tier_by_cdk(region, client, cdk, tmp_path):
    outputs = tmp_path / "outputs.json"
    deploy = ("deploy", "--require-approval", "never", "--outputs-file", str(outputs))
    told = cdk(*deploy, "--progress", "events")
    # The beginning of each resource before its end, however fast they come.
    of_vpc = [line.split("|")[3].strip() for line in told.splitlines() if "AWS::EC2::VPC " in line]
    assert of_vpc == ["CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"], told
    made = json.loads(outputs.read_text())[STACK]
    status = region.status()["load_balancers"]
    fronts, host = region.front(next(b["name"] for b in status if made["Url"] == f"http://{b['dns_name']}"))

    def served():
        connection = http.client.HTTPConnection(fronts[0], 80, timeout=10)
        connection.request("GET", "/", headers={"Host": host})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status

    assert served() == 200
    assert "(no changes)" in cdk(*deploy)
    changed = ("--context", "maxSize=4", "--context", "environment=staging")
    assert "There were no differences" in cdk("diff")
    assert "WEB_TIER_ENVIRONMENT=staging" in cdk("diff", *changed)
    cdk(*deploy, *changed)
    group = client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[made["GroupName"]])["AutoScalingGroups"][0]
    assert (group["MaxSize"], len(group["Instances"])) == (4, 2)
    assert served() == 200
