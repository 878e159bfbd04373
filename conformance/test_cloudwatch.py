"""CloudWatch as its clients use it by hand: statistics, dashboards, tags, and the ways to look at alarms."""

import datetime
import http.client
import json
import time
import urllib.parse

import pytest

from calls import refused
from region import wait_for

NAMESPACE = "By/Hand"


@pytest.fixture(scope="module")
def cloudwatch(client):
    return client("cloudwatch")


@pytest.fixture
def alarm(cloudwatch):
    cloudwatch.put_metric_alarm(
        AlarmName="by-hand", Namespace=NAMESPACE, MetricName="Latency", Statistic="Average", Period=60, EvaluationPeriods=3,
        DatapointsToAlarm=2, Threshold=1.5, ComparisonOperator="GreaterThanThreshold", ActionsEnabled=False,
        Tags=[{"Key": "team", "Value": "a"}])  # fmt: skip
    yield cloudwatch.describe_alarms(AlarmNames=["by-hand"])["MetricAlarms"][0]
    cloudwatch.delete_alarms(AlarmNames=["by-hand"])
    assert cloudwatch.describe_alarms(AlarmNames=["by-hand"])["MetricAlarms"] == []


def test_statistics_of_what_was_put(cloudwatch):
    minute = datetime.datetime.fromtimestamp(time.time() // 60 * 60 - 120, datetime.timezone.utc)
    data = {"MetricName": "Latency", "Timestamp": minute, "Unit": "Seconds"}
    cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=[
        {**data, "Values": [1.0, 3.0], "Counts": [3.0, 1.0]},
        {**data, "StatisticValues": {"SampleCount": 2, "Sum": 8, "Minimum": 4, "Maximum": 4}},
    ])
    names = ["SampleCount", "Sum", "Average", "Minimum", "Maximum"]
    span = {"StartTime": minute, "EndTime": minute + datetime.timedelta(minutes=1), "Period": 60}
    found = cloudwatch.get_metric_statistics(Namespace=NAMESPACE, MetricName="Latency", Statistics=names, **span)["Datapoints"]
    assert len(found) == 1 and found[0]["Unit"] == "Seconds" and found[0]["Timestamp"] == minute
    assert [found[0][name] for name in names] == [6, 14, pytest.approx(14 / 6), 1, 4]
    wait_for("the metric", lambda: cloudwatch.list_metrics(Namespace=NAMESPACE, MetricName="Latency")["Metrics"])
    refused("InvalidParameterCombination", cloudwatch.get_metric_statistics, "StartTime must be less than", Namespace=NAMESPACE,
            MetricName="Latency", Statistics=["Sum"], StartTime=minute, EndTime=minute, Period=60)  # fmt: skip


def test_dashboards(cloudwatch):
    body = json.dumps({"widgets": [{"type": "text", "properties": {"markdown": "# Hello"}}]})
    assert cloudwatch.put_dashboard(DashboardName="by-hand", DashboardBody=body)["DashboardValidationMessages"] == []
    got = cloudwatch.get_dashboard(DashboardName="by-hand")
    assert json.loads(got["DashboardBody"]) == json.loads(body) and got["DashboardArn"].endswith(":dashboard/by-hand")
    assert [d["DashboardName"] for d in cloudwatch.list_dashboards(DashboardNamePrefix="by-")["DashboardEntries"]] == ["by-hand"]
    cloudwatch.delete_dashboards(DashboardNames=["by-hand"])
    assert cloudwatch.list_dashboards()["DashboardEntries"] == []


def test_an_alarm_is_found_by_its_metric_and_switched(cloudwatch, alarm):
    found = cloudwatch.describe_alarms_for_metric(Namespace=NAMESPACE, MetricName="Latency")["MetricAlarms"]
    assert [a["AlarmName"] for a in found] == ["by-hand"]
    switched = lambda: cloudwatch.describe_alarms(AlarmNames=["by-hand"])["MetricAlarms"][0]["ActionsEnabled"]
    cloudwatch.enable_alarm_actions(AlarmNames=["by-hand"])
    assert switched()
    cloudwatch.disable_alarm_actions(AlarmNames=["by-hand"])
    assert not switched()


def test_an_alarm_has_tags(cloudwatch, alarm):
    tags = lambda: {t["Key"]: t["Value"] for t in cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]}
    assert tags() == {"team": "a"}
    cloudwatch.tag_resource(ResourceARN=alarm["AlarmArn"], Tags=[{"Key": "stage", "Value": "b"}])
    cloudwatch.untag_resource(ResourceARN=alarm["AlarmArn"], TagKeys=["team"])
    assert tags() == {"stage": "b"}


def test_a_flood_of_values_is_throttled_and_nothing_else_is(cloudwatch, client):
    data = [{"MetricName": f"m{n}", "Values": list(range(150)), "Counts": [1] * 150} for n in range(400)]
    sent = []
    cloudwatch.meta.events.register("before-send.cloudwatch.PutMetricData", lambda request, **_: sent.append(request))
    cloudwatch.put_metric_data(Namespace="Flood", MetricData=data)
    # The same bytes again and again: a client that writes each request anew is no flood.
    url, headers = urllib.parse.urlsplit(sent[0].url), dict(sent[0].headers.items())
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)

    def flood():
        connection.request("POST", url.path or "/", sent[0].body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    answers = [flood()]
    while answers[-1][0] == 200 and len(answers) < 500:
        answers.append(flood())
    status, body = answers[-1]
    assert status == 400 and b"Throttling" in body and b"Rate exceeded" in body, (len(answers), status, body)
    client("ec2").describe_instances()
    cloudwatch.put_metric_data(Namespace="Flood", MetricData=[{"MetricName": "small", "Value": 1.0}])
    wait_for("a large request is taken again", lambda: flood()[0] == 200, every=0.5)
