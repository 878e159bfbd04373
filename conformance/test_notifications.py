"""SNS: topics, subscriptions over http and e-mail, filters, retries, as a real client and real endpoints see them."""

import base64
import contextlib
import datetime
import email
import email.policy
import http.server
import json
import pathlib
import re
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request

import pytest

from calls import refused
from region import wait_for


class Endpoint:
    """An HTTP endpoint on the loopback that notes what it gets and answers as it is told."""

    def __init__(self):
        self.got, self.answers = [], []
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status = endpoint.answers.pop(0) if endpoint.answers else 200
                endpoint.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, count):
        wait_for(f"{count} requests", lambda: len(self.got) >= count, 30)
        return self.got[count - 1]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def endpoint():
    with contextlib.closing(Endpoint()) as endpoint:
        yield endpoint


@pytest.fixture
def sns(client):
    return client("sns")


@pytest.fixture
def topic(sns):
    arn = sns.create_topic(Name="alerts", Tags=[{"Key": "team", "Value": "blue"}])["TopicArn"]
    yield arn
    sns.delete_topic(TopicArn=arn)


def subscribe(sns, topic, endpoint, **attributes):
    """A subscription that the endpoint has confirmed by opening the link; its question is taken off the list."""
    made = sns.subscribe(
        TopicArn=topic, Protocol="http", Endpoint=endpoint.url, Attributes=attributes, ReturnSubscriptionArn=True
    )
    headers, body = endpoint.wait(1)
    question = json.loads(body)
    assert headers["x-amz-sns-message-type"] == question["Type"] == "SubscriptionConfirmation"
    with urllib.request.urlopen(question["SubscribeURL"], timeout=10) as answer:
        assert made["SubscriptionArn"] in answer.read().decode()
    endpoint.got.clear()
    return made["SubscriptionArn"]


def test_an_endpoint_confirms_by_opening_the_link_and_gets_signed_messages(sns, topic, endpoint):
    arn = subscribe(sns, topic, endpoint)
    assert sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["PendingConfirmation"] == "false"
    attributes = {"kind": {"DataType": "String", "StringValue": "fire"}}
    sent = sns.publish(TopicArn=topic, Subject="Grüße", Message="it burns", MessageAttributes=attributes)
    headers, body = endpoint.wait(1)
    message = json.loads(body)
    assert headers["x-amz-sns-message-id"] == message["MessageId"] == sent["MessageId"]
    assert headers["x-amz-sns-subscription-arn"] == arn and headers["content-type"] == "text/plain; charset=UTF-8"
    assert (message["Subject"], message["Message"]) == ("Grüße", "it burns")
    assert message["MessageAttributes"] == {"kind": {"Type": "String", "Value": "fire"}}
    verify(message, ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"])
    with urllib.request.urlopen(message["UnsubscribeURL"], timeout=10) as answer:
        assert answer.status == 200
    end = json.loads(endpoint.wait(2)[1])
    assert end["Type"] == "UnsubscribeConfirmation"
    assert [s["SubscriptionArn"] for s in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]] == ["Deleted"]
    with urllib.request.urlopen(end["SubscribeURL"], timeout=10) as answer:
        assert answer.status == 200
    assert [s["SubscriptionArn"] for s in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]] == [arn]


def verify(message, names):
    """The signature, by the certificate that the message names."""
    with urllib.request.urlopen(message["SigningCertURL"], timeout=10) as answer:
        certificate = answer.read()
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        (directory / "certificate").write_bytes(certificate)
        (directory / "text").write_text("".join(f"{n}\n{message[n]}\n" for n in names))
        (directory / "signature").write_bytes(base64.b64decode(message["Signature"]))
        key = subprocess.run(["openssl", "x509", "-in", "certificate", "-pubkey", "-noout"], cwd=name, capture_output=True, check=True)
        (directory / "key").write_bytes(key.stdout)
        command = ["openssl", "dgst", "-sha256", "-verify", "key", "-signature", "signature", "text"]
        subprocess.run(command, cwd=name, capture_output=True, check=True)


def test_a_filter_lets_pass_what_it_names(sns, topic, endpoint):
    arn = subscribe(sns, topic, endpoint, FilterPolicy=json.dumps({"kind": ["fire"]}), RawMessageDelivery="true")
    of = lambda kind: {"kind": {"DataType": "String", "StringValue": kind}}
    entries = [{"Id": kind, "Message": kind, "MessageAttributes": of(kind)} for kind in ("water", "fire", "earth")]
    published = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    assert len(published["Successful"]) == 3
    headers, body = endpoint.wait(1)
    assert body == "fire" and headers["x-amz-sns-rawdelivery"] == "true"
    sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue="{}")
    sns.publish(TopicArn=topic, Message="anything")
    assert endpoint.wait(2)[1] == "anything" and len(endpoint.got) == 2


def test_a_delivery_is_tried_again_after_a_500(client, sns, topic, endpoint):
    policy = {"healthyRetryPolicy": {"numRetries": 2, "minDelayTarget": 1, "maxDelayTarget": 1}}
    subscribe(sns, topic, endpoint, DeliveryPolicy=json.dumps(policy))
    endpoint.answers = [500, 503]
    sent = sns.publish(TopicArn=topic, Message="again")
    endpoint.wait(3)
    assert {json.loads(body)["MessageId"] for _, body in endpoint.got} == {sent["MessageId"]}
    told = lambda name: metric(client("cloudwatch"), f"NumberOf{name}", topic.rsplit(":", 1)[1])
    wait_for("the metric of deliveries", lambda: told("NotificationsDelivered") >= 1)
    assert told("MessagesPublished") >= 1 and told("NotificationsFailed") >= 2


def metric(cloudwatch, name, topic):
    """The sum of a topic's metric over the last hour."""
    now = datetime.datetime.now(datetime.timezone.utc)
    got = cloudwatch.get_metric_statistics(
        Namespace="AWS/SNS",
        MetricName=name,
        Dimensions=[{"Name": "TopicName", "Value": topic}],
        StartTime=now - datetime.timedelta(hours=1),
        EndTime=now + datetime.timedelta(minutes=2),
        Period=60,
        Statistics=["Sum"],
    )
    return sum(point["Sum"] for point in got["Datapoints"])


def test_a_name_that_leads_to_a_refused_address_is_not_called(sns, topic, endpoint):
    """`0x0` is another spelling of 0.0.0.0, which leads to this very machine."""
    hidden = endpoint.url.replace("127.0.0.1", "0x0")
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=hidden)
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint.url)
    endpoint.wait(1)
    assert {headers["host"].split(":")[0] for headers, _ in endpoint.got} == {"127.0.0.1"}


def test_mail_lies_in_the_outbox(region, sns, topic):
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.com")
    mails = lambda: [m for m in json.loads(region.run("outbox", "--output", "json")) if m["to"] == "ops@example.com"]
    wait_for("the question", mails)
    text = json.loads(region.run("outbox", mails()[-1]["name"], "--output", "json"))["text"]
    question = email.message_from_string(text, policy=email.policy.default).get_content()
    link = re.search(r"http://\S+", question).group(0)
    with urllib.request.urlopen(link, timeout=10) as answer:
        assert answer.status == 200
    sns.publish(TopicArn=topic, Subject="Weather", Message="It rains")
    wait_for("the mail", lambda: mails()[-1]["subject"] == "Weather")
    assert "It rains" in region.run("outbox", mails()[-1]["name"])


def test_topics_are_described_changed_and_listed(sns, topic):
    assert sns.create_topic(Name="alerts")["TopicArn"] == topic
    sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue="Alerts")
    attributes = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert attributes["DisplayName"] == "Alerts" and attributes["Owner"] in topic
    assert topic in [t["TopicArn"] for p in sns.get_paginator("list_topics").paginate() for t in p["Topics"]]
    sns.add_permission(TopicArn=topic, Label="partner", AWSAccountId=["111122223333"], ActionName=["Publish"])
    assert "111122223333" in sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
    sns.remove_permission(TopicArn=topic, Label="partner")
    sns.tag_resource(ResourceArn=topic, Tags=[{"Key": "stage", "Value": "test"}])
    sns.untag_resource(ResourceArn=topic, TagKeys=["team"])
    assert sns.list_tags_for_resource(ResourceArn=topic)["Tags"] == [{"Key": "stage", "Value": "test"}]


def test_subscriptions_are_listed_and_ended(sns, topic, endpoint):
    arn = subscribe(sns, topic, endpoint)
    assert arn in [s["SubscriptionArn"] for p in sns.get_paginator("list_subscriptions").paginate() for s in p["Subscriptions"]]
    sns.unsubscribe(SubscriptionArn=arn)
    refused("NotFound", sns.get_subscription_attributes, "Subscription does not exist", SubscriptionArn=arn, status=404)


def test_a_signed_request_confirms_too(sns, topic, endpoint):
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint.url)
    token = json.loads(endpoint.wait(1)[1])["Token"]
    arn = sns.confirm_subscription(TopicArn=topic, Token=token, AuthenticateOnUnsubscribe="true")["SubscriptionArn"]
    assert sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["ConfirmationWasAuthenticated"] == "true"
    sns.publish(TopicArn=topic, Message="x")
    link = json.loads(endpoint.wait(2)[1])["UnsubscribeURL"]
    with pytest.raises(urllib.error.HTTPError) as e:
        urllib.request.urlopen(link, timeout=10)
    assert e.value.code == 403


def test_what_is_wrong_is_told_in_the_words_of_aws(sns, topic):
    refused("InvalidParameter", sns.create_topic, "Topic Name", Name="a b")
    refused("InvalidParameter", sns.create_topic, "FIFO", Name="orders.fifo", Attributes={"FifoTopic": "true"})
    refused("NotFound", sns.publish, "Topic does not exist", TopicArn=f"{topic}-missing", Message="x", status=404)
    refused("InvalidParameter", sns.publish, "Empty message", TopicArn=topic, Message="")
    refused("InvalidParameter", sns.publish, "Message too long", TopicArn=topic, Message="x" * (256 * 1024 + 1))
    refused("InvalidParameter", sns.publish, "SMS", PhoneNumber="+490000000", Message="x")
    refused("InvalidParameter", sns.subscribe, "sqs", TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:x")
    for host in ("10.0.0.1", "169.254.169.254", "0.0.0.0", "[fd00::1]", "[::ffff:192.168.0.1]"):
        url = f"http://{host}/latest/meta-data/"
        refused("InvalidParameter", sns.subscribe, "Endpoint Reason", TopicArn=topic, Protocol="http", Endpoint=url)
    refused("InvalidParameter", sns.confirm_subscription, "Token", TopicArn=topic, Token="0")
    refused("EmptyBatchRequest", sns.publish_batch, TopicArn=topic, PublishBatchRequestEntries=[])


STACK = """
Resources:
  Alerts:
    Type: AWS::SNS::Topic
    Properties:
      DisplayName: %s
      Subscription:
        - {Protocol: email, Endpoint: ops@example.com}
  Hook:
    Type: AWS::SNS::Subscription
    Properties: {TopicArn: !Ref Alerts, Protocol: http, Endpoint: %s, FilterPolicy: {kind: [fire]}}
  Policy:
    Type: AWS::SNS::TopicPolicy
    Properties:
      Topics: [!Ref Alerts]
      PolicyDocument:
        Statement: [{Sid: anyone, Effect: Allow, Principal: "*", Action: "sns:Publish", Resource: !Ref Alerts}]
Outputs:
  Arn: {Value: !GetAtt Alerts.TopicArn}
  Name: {Value: !GetAtt Alerts.TopicName}
"""


def test_a_stack_makes_changes_and_removes_a_topic(client, sns, endpoint):
    cloudformation = client("cloudformation")
    cloudformation.create_stack(StackName="alerts", TemplateBody=STACK % ("One", endpoint.url))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="alerts", WaiterConfig={"Delay": 1})
    outputs = {o["OutputKey"]: o["OutputValue"] for o in cloudformation.describe_stacks(StackName="alerts")["Stacks"][0]["Outputs"]}
    topic = outputs["Arn"]
    assert topic.endswith(":" + outputs["Name"])
    protocols = {s["Protocol"] for s in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]}
    assert protocols == {"http", "email"}
    assert "sns:Publish" in sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
    assert json.loads(endpoint.wait(1)[1])["Type"] == "SubscriptionConfirmation"
    cloudformation.update_stack(StackName="alerts", TemplateBody=STACK % ("Two", endpoint.url))
    cloudformation.get_waiter("stack_update_complete").wait(StackName="alerts", WaiterConfig={"Delay": 1})
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["DisplayName"] == "Two"
    cloudformation.delete_stack(StackName="alerts")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="alerts", WaiterConfig={"Delay": 1})
    refused("NotFound", sns.get_topic_attributes, "Topic does not exist", TopicArn=topic)
