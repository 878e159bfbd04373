"""Terraform with AWS's own provider, unmodified: what it applies serves, and what it reads back is what it wrote.

Needs `terraform` and its provider hashicorp/aws: from the registry, from the mirror that Terraform's settings name, or
from one in the places where Terraform or a machine's packages keep them.
"""

import http.client
import json
import os
import pathlib
import shutil
import subprocess

import pytest
from region import ROOT, Load

MIRRORS = ["/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins", *map(str, pathlib.Path("/opt").glob("*"))]


@pytest.fixture
def terraform(region, image, tmp_path):
    """Runs terraform on a copy of stacks/terraform; what it made is destroyed at the end."""
    if shutil.which("terraform") is None:
        pytest.skip("needs terraform in the PATH")
    shutil.copy(ROOT / "stacks/terraform/main.tf", tmp_path)
    environment = {**region.environment(), "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
    if not os.path.exists(environment.get("TF_CLI_CONFIG_FILE", "")):
        environment.pop("TF_CLI_CONFIG_FILE", None)
    mirror = next((m for m in MIRRORS if pathlib.Path(m, "registry.terraform.io/hashicorp/aws").is_dir()), None)

    def run(*arguments, codes=(0,)):
        done = subprocess.run(["terraform", *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=400)
        assert done.returncode in codes, f"terraform {arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    provider = [f"-plugin-dir={mirror}"] if mirror else []
    found = run("init", "-input=false", "-no-color", *provider, codes=(0, 1))
    if not (tmp_path / ".terraform.lock.hcl").exists():
        pytest.skip(f"needs the provider hashicorp/aws: {found}")
    yield run
    run("destroy", "-auto-approve", "-no-color")
    assert json.loads((tmp_path / "terraform.tfstate").read_text())["resources"] == []


def apply(terraform, *arguments):
    """Applies, and sees that nothing is left to change then: terraform's exit code 2 would say that there is."""
    terraform("apply", "-auto-approve", "-no-color", *arguments)
    terraform("plan", "-detailed-exitcode", "-no-color", *arguments)
    return {name: output["value"] for name, output in json.loads(terraform("output", "-json")).items()}


def test_a_web_tier_by_terraform(region, client, terraform):
    made = apply(terraform)
    fronts, host = region.front("web-tier-tf")
    assert made["url"] == f"http://{host}"
    connection = http.client.HTTPConnection(fronts[0], 80, timeout=10)
    connection.request("GET", "/", headers={"Host": host})
    assert connection.getresponse().status == 200
    connection.close()
    scaling = client("autoscaling")
    group = {"AutoScalingGroupNames": [made["group_name"]]}
    instances = scaling.describe_auto_scaling_groups(**group)["AutoScalingGroups"][0]["Instances"]
    assert len({i["AvailabilityZone"] for i in instances}) == 2, "as many as are wanted, in both zones"
    # Other settings: other instances, and no request fails while they come.
    with Load(fronts, host) as load:
        apply(terraform, "-var=environment=staging", "-var=max_size=4")
    assert load.failures == [], load.failures[:5]
    refreshes = scaling.describe_instance_refreshes(AutoScalingGroupName=made["group_name"])["InstanceRefreshes"]
    assert [r["Status"] in ("Pending", "InProgress", "Successful") for r in refreshes] == [True], refreshes
    assert scaling.describe_auto_scaling_groups(**group)["AutoScalingGroups"][0]["MaxSize"] == 4
