"""Last of all: every operation that the project says it has was answered with success in this session, but for the few
that answer with a refusal by design. CloudFormation's have their own tests."""

import pytest

from calls import ANSWERED, implemented

# A forecast needs a day of the region's own samples, which nobody else may put. The
# region's certificates are public ones, whose keys nobody gets, and it asks nobody by mail.
BY_DESIGN = {
    "acm": {"ExportCertificate", "ResendValidationEmail"},
    "ec2": {"CreateKeyPair"},
    "autoscaling": {"GetPredictiveScalingForecast"},
}


@pytest.mark.parametrize("service", ["sts", "iam", "acm", "ssm", "ec2", "elbv2", "autoscaling", "cloudformation", "sns", "cloudwatch"])
def test_every_operation_was_called(service, request):
    alone = {item.path.name for item in request.session.items} == {"test_zz_every_operation.py"}
    assert not alone, "run it with the other tests: pytest conformance"
    assert implemented(service) - ANSWERED.get(service, set()) - BY_DESIGN.get(service, set()) == set()
