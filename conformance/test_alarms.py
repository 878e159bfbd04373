"""Alarms as boto3 and real endpoints see them, in a region whose metrics have a period of one second: when they change state, whom
they tell, and that neither a restart nor a pause of the region makes them tell anything twice or falsely."""

import contextlib
import datetime
import json
import os
import signal
import threading
import time

import pytest

from calls import refused
from region import wait_for
from test_notifications import Endpoint, subscribe

# The shortest period that an alarm can have; such alarms are evaluated as often.
PERIOD_S = 10
NAMESPACE = "Alarms"


@pytest.fixture(scope="module")
def client(quick_client):
    return quick_client


@pytest.fixture(scope="module")
def cloudwatch(client):
    client = client("cloudwatch")
    yield client
    for kind in ("CompositeAlarms", "MetricAlarms"):
        for alarm in client.describe_alarms(AlarmTypes=["CompositeAlarm", "MetricAlarm"])[kind]:
            client.delete_alarms(AlarmNames=[alarm["AlarmName"]])


@pytest.fixture
def told(client):
    """A topic's ARN, and an endpoint that is subscribed to it."""
    sns = client("sns")
    arn = sns.create_topic(Name="told")["TopicArn"]
    with contextlib.closing(Endpoint()) as endpoint:
        subscribe(sns, arn, endpoint)
        yield arn, endpoint
    sns.delete_topic(TopicArn=arn)


def messages(endpoint):
    """What alarms have told: name, old and new state."""
    all = [json.loads(json.loads(body)["Message"]) for _, body in endpoint.got]
    return [(m["AlarmName"], m["OldStateValue"], m["NewStateValue"]) for m in all]


def put(cloudwatch, name, **more):
    settings = {
        "Namespace": NAMESPACE, "MetricName": name, "Statistic": "Maximum", "Period": PERIOD_S, "EvaluationPeriods": 1,
        "Threshold": 50, "ComparisonOperator": "GreaterThanThreshold", **more,
    }  # fmt: skip
    cloudwatch.put_metric_alarm(AlarmName=name, **{key: value for key, value in settings.items() if value is not None})


def sample(cloudwatch, name, value, at=None):
    """A value of this moment; gives the end of the period that it is in."""
    at = time.time() if at is None else at
    moment = datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
    data = {"MetricName": name, "Value": value, "Timestamp": moment, "StorageResolution": 1}
    cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=[data])
    return at // PERIOD_S * PERIOD_S + PERIOD_S


def describe(cloudwatch, name):
    found = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm", "MetricAlarm"])
    return (found["MetricAlarms"] + found["CompositeAlarms"])[0]


def reach(cloudwatch, name, state, seconds=2 * PERIOD_S + 5):
    """Waits for a state; gives the alarm."""
    wait_for(f"{name} in {state}", lambda: describe(cloudwatch, name)["StateValue"] == state, seconds)
    return describe(cloudwatch, name)


def set_state(cloudwatch, name, state):
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a drill")


def history(cloudwatch, name, kind="StateUpdate"):
    """Summaries, the oldest first."""
    found = cloudwatch.describe_alarm_history(
        AlarmName=name, HistoryItemType=kind, ScanBy="TimestampAscending", AlarmTypes=["CompositeAlarm", "MetricAlarm"]
    )
    return [item["HistorySummary"] for item in found["AlarmHistoryItems"]]


def after_end(alarm, end):
    return alarm["StateUpdatedTimestamp"].timestamp() - end


def test_a_crossed_threshold_is_told_within_a_second_of_its_periods_end(cloudwatch, told):
    topic, endpoint = told
    put(cloudwatch, "load", AlarmActions=[topic], OKActions=[topic])
    end = sample(cloudwatch, "load", 92.5)
    alarm = reach(cloudwatch, "load", "ALARM")
    # The alarm is new: it is also looked at when it is made, then the period's end may come before.
    assert -PERIOD_S < after_end(alarm, end) <= 1, alarm
    assert "[92.5 (" in alarm["StateReason"] and "was greater than the threshold (50.0)" in alarm["StateReason"]
    endpoint.wait(1)
    end = sample(cloudwatch, "load", 1)
    alarm = wait_for("OK", lambda: (a := describe(cloudwatch, "load"))["StateValue"] == "OK" and a, 2 * PERIOD_S + 5)
    end = max(end, alarm["StateUpdatedTimestamp"].timestamp() // PERIOD_S * PERIOD_S)
    assert 0 <= after_end(alarm, end) <= 1, alarm
    headers, _ = endpoint.wait(2)
    assert headers["x-amz-sns-message-type"] == "Notification"
    assert messages(endpoint) == [("load", "INSUFFICIENT_DATA", "ALARM"), ("load", "ALARM", "OK")]
    assert history(cloudwatch, "load", "Action") == [f"Successfully executed action {topic}"] * 2
    assert history(cloudwatch, "load") == [
        "Alarm updated from INSUFFICIENT_DATA to ALARM",
        "Alarm updated from ALARM to OK",
    ]


def test_mathematics_over_two_metrics(cloudwatch):
    def query(name):
        metric = {"Namespace": NAMESPACE, "MetricName": name}
        return {"Id": name, "MetricStat": {"Metric": metric, "Period": PERIOD_S, "Stat": "Sum"}, "ReturnData": False}

    share = {"Id": "share", "Expression": "100 * errors / requests", "Label": "errors in percent", "ReturnData": True}
    settings = {"EvaluationPeriods": 1, "Threshold": 5, "ComparisonOperator": "GreaterThanOrEqualToThreshold"}
    cloudwatch.put_metric_alarm(AlarmName="math", Metrics=[query("errors"), query("requests"), share], **settings)
    at = time.time()
    sample(cloudwatch, "requests", 200, at)
    sample(cloudwatch, "errors", 15, at)
    alarm = reach(cloudwatch, "math", "ALARM")
    assert "[7.5 (" in alarm["StateReason"], alarm["StateReason"]
    assert [m["Id"] for m in alarm["Metrics"]] == ["errors", "requests", "share"] and "MetricName" not in alarm


def test_missing_data_that_count_as_breaching(cloudwatch):
    put(cloudwatch, "silent", TreatMissingData="breaching")
    put(cloudwatch, "quiet", TreatMissingData="notBreaching")
    alarm = reach(cloudwatch, "silent", "ALARM")
    expected = "no datapoints were received for 1 period and 1 missing datapoint was treated as [Breaching]."
    assert alarm["StateReason"] == f"Threshold Crossed: {expected}"
    reach(cloudwatch, "quiet", "OK")


def test_a_suppressor_keeps_the_actions_of_a_composite_alarm_back(cloudwatch, told):
    topic, endpoint = told
    for name in ("child", "maintenance"):
        put(cloudwatch, name, TreatMissingData="ignore")
        set_state(cloudwatch, name, "OK")
    cloudwatch.put_composite_alarm(
        AlarmName="whole", AlarmRule="ALARM(child) AND NOT INSUFFICIENT_DATA(child)", AlarmActions=[topic], ActionsSuppressor="maintenance",
        ActionsSuppressorWaitPeriod=1, ActionsSuppressorExtensionPeriod=2,
    )  # fmt: skip
    refused("ValidationError", cloudwatch.delete_alarms, "Cannot delete child", AlarmNames=["child"])
    refused("ValidationError", cloudwatch.put_composite_alarm, "nobody", "do not exist", AlarmName="bad", AlarmRule="OK(nobody)")
    reach(cloudwatch, "whole", "OK")
    wait_for("the wait period", lambda: "ActionsSuppressedBy" not in describe(cloudwatch, "whole"))
    set_state(cloudwatch, "maintenance", "ALARM")
    set_state(cloudwatch, "child", "ALARM")
    whole = reach(cloudwatch, "whole", "ALARM")
    assert whole["ActionsSuppressedBy"] == "Alarm" and "child" in whole["StateReason"], whole
    released = time.time()
    set_state(cloudwatch, "maintenance", "OK")
    assert describe(cloudwatch, "whole")["ActionsSuppressedBy"] == "ExtensionPeriod"
    endpoint.wait(1)
    assert time.time() - released >= 2, "the extension period"
    assert messages(endpoint) == [("whole", "OK", "ALARM")]
    assert "ActionsSuppressedBy" not in describe(cloudwatch, "whole")


def test_a_state_that_is_set_acts_and_is_in_the_history(cloudwatch, told):
    topic, endpoint = told
    put(cloudwatch, "drill", TreatMissingData="ignore", AlarmActions=[topic])
    set_state(cloudwatch, "drill", "ALARM")
    endpoint.wait(1)
    item = cloudwatch.describe_alarm_history(AlarmName="drill", HistoryItemType="StateUpdate")["AlarmHistoryItems"][0]
    data = json.loads(item["HistoryData"])
    assert (data["oldState"]["stateValue"], data["newState"]["stateValue"]) == ("INSUFFICIENT_DATA", "ALARM")
    assert data["newState"]["stateReason"] == "a drill"
    cloudwatch.disable_alarm_actions(AlarmNames=["drill"])
    set_state(cloudwatch, "drill", "OK")
    set_state(cloudwatch, "drill", "ALARM")
    cloudwatch.delete_alarms(AlarmNames=["drill"])
    assert history(cloudwatch, "drill", "ConfigurationUpdate") == [f'Alarm "drill" {done}' for done in ("created", "updated", "deleted")]
    assert len(history(cloudwatch, "drill")) == 3 and len(history(cloudwatch, "drill", "Action")) == 1
    refused(
        "ResourceNotFound", cloudwatch.set_alarm_state, status=404, AlarmName="drill", StateValue="OK", StateReason="it is gone"
    )
    refused("ValidationError", put, "Period must be", cloudwatch=cloudwatch, name="bad", Period=45)


def test_a_killed_region_keeps_states_and_invokes_nothing_twice(quick, cloudwatch, told):
    topic, endpoint = told
    put(cloudwatch, "kept", TreatMissingData="breaching", AlarmActions=[topic])
    put(cloudwatch, "held", TreatMissingData="ignore", AlarmActions=[topic], OKActions=[topic])
    set_state(cloudwatch, "held", "ALARM")
    before = reach(cloudwatch, "kept", "ALARM")
    endpoint.wait(2)
    quick.kill("serve")
    quick.start()
    assert describe(cloudwatch, "kept")["StateUpdatedTimestamp"] == before["StateUpdatedTimestamp"]
    assert describe(cloudwatch, "held")["StateValue"] == "ALARM"
    # Both have been evaluated again when an alarm that is younger has been evaluated twice.
    put(cloudwatch, "younger")
    end = sample(cloudwatch, "younger", 99)
    reach(cloudwatch, "younger", "ALARM")
    wait_for("the period after", lambda: time.time() > end + 1)
    sample(cloudwatch, "younger", 1)
    reach(cloudwatch, "younger", "OK")
    set_state(cloudwatch, "held", "OK")
    endpoint.wait(3)
    assert sorted(messages(endpoint)) == [
        ("held", "ALARM", "OK"), ("held", "INSUFFICIENT_DATA", "ALARM"), ("kept", "INSUFFICIENT_DATA", "ALARM"),
    ]  # fmt: skip
    assert history(cloudwatch, "kept") == ["Alarm updated from INSUFFICIENT_DATA to ALARM"]


class Beat:
    """Puts the value 1 twice a second, each in a request of its own: those that are sent while the region is stopped wait for it."""

    def __init__(self, client, name):
        self.client, self.name, self.stop, self.sent = client, name, threading.Event(), []
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(15)
        for one in self.sent:
            one.join(15)

    def run(self):
        cloudwatch = self.client("cloudwatch")
        due = time.time()
        while not self.stop.is_set() and len(self.sent) < 200:
            one = threading.Thread(target=sample, args=(cloudwatch, self.name, 1, due), daemon=True)
            one.start()
            self.sent.append(one)
            due += 0.5
            self.stop.wait(max(0, due - time.time()))


# A long stop makes evaluations late. A short one does not, and what was measured in it arrives after they are due all the same.
@pytest.mark.parametrize("seconds_before, seconds_stopped", [(1.6, 5), (1.0, 2)])
def test_a_region_that_was_stopped_for_seconds_acts_on_nothing_false(quick, client, cloudwatch, told, seconds_before, seconds_stopped):
    topic, endpoint = told
    beat = f"beat{seconds_stopped}"
    with Beat(client, beat):
        # Half a second is left in the first period for the thread to begin in.
        first = time.time() // PERIOD_S * PERIOD_S + PERIOD_S
        wait_for("a whole period", lambda: time.time() > first + PERIOD_S + 1, 2 * PERIOD_S + 5)
        put(
            cloudwatch, beat, Statistic="Sum", Threshold=2 * PERIOD_S - 1, ComparisonOperator="LessThanThreshold",
            TreatMissingData="breaching", AlarmActions=[topic],
        )  # fmt: skip
        reach(cloudwatch, beat, "OK")
        end = time.time() // PERIOD_S * PERIOD_S + PERIOD_S
        wait_for("a moment before the period's end", lambda: time.time() > end - seconds_before, PERIOD_S + 5, every=0.01)
        pids = quick.processes("serve")
        try:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            stopped = time.time()
            wait_for("the end of the stop", lambda: time.time() > stopped + seconds_stopped, every=0.01)
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        wait_for("the period after", lambda: time.time() > end + PERIOD_S + 1, PERIOD_S + 5)
        put(cloudwatch, "witness", TreatMissingData="breaching")
        reach(cloudwatch, "witness", "ALARM")
        assert history(cloudwatch, beat) == ["Alarm updated from INSUFFICIENT_DATA to OK"]
        assert messages(endpoint) == []
        cloudwatch.delete_alarms(AlarmNames=[beat, "witness"])
