"""Stacks as the tests use them: made of a template's text, waited for, described."""

import json
import time
import uuid

from botocore.exceptions import ClientError

from region import wait_for


def name_of(test):
    """A stack name that no other test has."""
    return f"{test}-{uuid.uuid4().hex[:8]}"


class Stack:
    """A stack of a test; deleted at its end, whatever became of it."""

    def __init__(self, formation, name):
        self.formation, self.name, self.id = formation, name, None

    def create(self, template, wait="CREATE_COMPLETE", **more):
        self.id = self.formation.create_stack(StackName=self.name, TemplateBody=text(template), **arguments(more))["StackId"]
        return self.until(wait)

    def update(self, template=None, wait="UPDATE_COMPLETE", **more):
        body = {"UsePreviousTemplate": True} if template is None else {"TemplateBody": text(template)}
        self.formation.update_stack(StackName=self.name, **body, **arguments(more))
        return self.until(wait)

    def delete(self, wait="DELETE_COMPLETE", **more):
        self.formation.delete_stack(StackName=self.id or self.name, **more)
        return self.until(wait)

    def describe(self):
        return self.formation.describe_stacks(StackName=self.id or self.name)["Stacks"][0]

    def until(self, status, seconds=60):
        """Waits for the status; any other end is told with its events."""
        if status is None:
            return self
        deadline = time.monotonic() + seconds
        while True:
            now = self.describe()["StackStatus"]
            if now == status:
                return self
            if not now.endswith("_IN_PROGRESS") or time.monotonic() > deadline:
                events = "\n".join(" ".join(e) for e in self.events())
                raise AssertionError(f"{self.name} is {now}, not {status}:\n{events}")
            time.sleep(0.05)

    def outputs(self):
        return {o["OutputKey"]: o["OutputValue"] for o in self.describe().get("Outputs", [])}

    def resources(self):
        """Physical ids by logical ids."""
        pages = self.formation.get_paginator("list_stack_resources").paginate(StackName=self.id or self.name)
        return {r["LogicalResourceId"]: r.get("PhysicalResourceId") for p in pages for r in p["StackResourceSummaries"]}

    def statuses(self):
        pages = self.formation.get_paginator("list_stack_resources").paginate(StackName=self.id or self.name)
        return {r["LogicalResourceId"]: r["ResourceStatus"] for p in pages for r in p["StackResourceSummaries"]}

    def events(self):
        """Logical id, status and reason, oldest first."""
        pages = self.formation.get_paginator("describe_stack_events").paginate(StackName=self.id or self.name)
        all = [e for p in pages for e in p["StackEvents"]]
        return [(e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason", "")) for e in reversed(all)]

    def clear(self):
        try:
            self.formation.update_termination_protection(StackName=self.id or self.name, EnableTerminationProtection=False)
            self.formation.delete_stack(StackName=self.id or self.name)
        except ClientError:
            return
        ended = ("DELETE_COMPLETE", "DELETE_FAILED")
        wait_for(f"end of {self.name}", lambda: self.status_or_gone() in ended, seconds=90)

    def status_or_gone(self):
        try:
            return self.describe()["StackStatus"]
        except ClientError:
            return "DELETE_COMPLETE"


def text(template):
    return template if isinstance(template, str) else json.dumps(template)


def arguments(more):
    """Parameters and tags as plain dictionaries; None for a parameter means its previous value."""
    parameters = more.pop("parameters", None)
    if parameters is not None:
        more["Parameters"] = [
            {"ParameterKey": k, "UsePreviousValue": True} if v is None else {"ParameterKey": k, "ParameterValue": v}
            for k, v in parameters.items()
        ]
    tags = more.pop("tags", None)
    if tags is not None:
        more["Tags"] = [{"Key": k, "Value": v} for k, v in tags.items()]
    return more
