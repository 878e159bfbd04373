"""Walks every operation that the region has with botocore's own serializers and parsers, without a server: in each of the
protocols that its service speaks, for clients differ in the one they take.

Requests: what botocore writes is read as what was meant, with all members and with the required ones only. Answers:
what the codec writes is parsed by botocore as what was meant. Errors: likewise, with code, message and request id.

Run it with `pip install -r conformance/requirements.txt` and `pytest conformance/wire`; it builds what it needs.
"""

import botocore
import pytest
from botocore import parsers, serialize, session
from botocore.awsrequest import create_request_object, prepare_request_dict

from echo import ROOT, Echo, response
from samples import TEXT, Samples, plain

SESSION = session.get_session()
MODELS = {}


def implemented():
    for line in (ROOT / "front/models/implemented.txt").read_text().splitlines():
        service, *operations = line.split()
        for operation in operations:
            for protocol in model(service).metadata["protocols"]:
                yield service, operation, protocol


def model(service):
    if service not in MODELS:
        MODELS[service] = SESSION.get_service_model(service)
    return MODELS[service]


def prepared(service, operation, protocol, parameters):
    """The request as botocore would send it, unsigned but for the scope that tells the service."""
    description = model(service)
    serializer = serialize.create_serializer(protocol, include_validation=False)
    request = serializer.serialize_to_request(parameters, description.operation_model(operation))
    prepare_request_dict(request, endpoint_url="http://127.0.0.1:4566")
    scope = f"AK/20260131/eu-central-1/{description.signing_name}/aws4_request"
    request["headers"]["Authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
    return create_request_object(request).prepare()


def parsed(service, operation, protocol, answer):
    parser = parsers.create_parser(protocol)
    return parser.parse(answer, model(service).operation_model(operation).output_shape)


@pytest.fixture(scope="module")
def echo():
    program = Echo()
    yield program
    program.close()


every = pytest.mark.parametrize("service, operation, protocol", list(implemented()))
both = pytest.mark.parametrize("full", [True, False], ids=["full", "least"])


@both
@every
def test_a_request_is_read_as_it_was_meant(echo, service, operation, protocol, full):
    parameters = Samples(full).structure(model(service).operation_model(operation).input_shape)
    got = echo.request(prepared(service, operation, protocol, parameters))
    assert "fault" not in got, got["fault"]
    assert (got["service"], got["operation"]) == (service, operation)
    assert (got["input"] or {}) == plain(parameters)


@both
@every
def test_an_answer_is_parsed_as_it_was_meant(echo, service, operation, protocol, full):
    output = Samples(full).structure(model(service).operation_model(operation).output_shape)
    got = parsed(service, operation, protocol, echo.answer(service, operation, protocol, output=plain(output)))
    metadata = got.pop("ResponseMetadata")
    assert metadata["HTTPStatusCode"] == 200
    # Of an operation without output botocore's CBOR parser does not look at the request's id.
    shape = model(service).operation_model(operation).output_shape
    assert "RequestId" in metadata or (protocol == "smithy-rpc-v2-cbor" and shape is None)
    assert plain(got) == plain(output)


@every
def test_an_error_is_parsed_with_its_code_message_and_request(echo, service, operation, protocol):
    fault = {"code": "Some.Code", "http": 404, "message": TEXT}
    answer = echo.answer(service, operation, protocol, fault=fault)
    assert answer["status_code"] == 404
    got = parsed(service, operation, protocol, answer)
    assert (got["Error"]["Code"], got["Error"]["Message"]) == ("Some.Code", TEXT)
    assert got["ResponseMetadata"]["RequestId"]


@every
def test_what_is_required_is_asked_for(echo, service, operation, protocol):
    shape = model(service).operation_model(operation).input_shape
    parameters = Samples(full=False).structure(shape)
    for name in shape.required_members if shape else ():
        rest = {other: value for other, value in parameters.items() if other != name}
        got = echo.request(prepared(service, operation, protocol, rest))
        assert "fault" in got, f"{name} is not asked for (descriptions of botocore 1.44.5, this is {botocore.__version__})"
        error = parsed(service, operation, protocol, response(got["answer"]))["Error"]
        assert error["Code"] in ("MissingParameter", "ValidationError", "ValidationException"), error
        assert name.lower() in error["Message"].lower(), error
