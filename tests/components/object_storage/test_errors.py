"""Errors of a store become errors of the job, which have a remedy and no part of the response."""

import pytest

from components.base.errors import ExitCode
from components.object_storage import ObjectUrl
from components.object_storage.errors import Failure

S3 = ObjectUrl.parse("s3://bucket/prefix")
AZURE = ObjectUrl.parse("az://container/prefix")
SECRET = "AKIAEXAMPLE"  # noqa: S105


def response(status: str, code: str = "", *, method: str = "GET", details: str = "") -> Failure:
    """Return the failure of a response, whose body contains a secret."""
    body = f"<Error><Code>{code}</Code><Message>{SECRET}</Message>{details}</Error>" if code else ""
    request = f"Error performing {method} http://127.0.0.1:5000/bucket/prefix/key?sig={SECRET} in 62.0ms"
    message = f"Generic S3 error: {request} - Server returned non-2xx status code: {status}: {body}"
    return Failure.of(Exception(f'{message}\n\nDebug source:\nGeneric {{ body: Some("{body}") }}'))


def no_response(kind: str) -> Failure:
    """Return the failure of a request without a response."""
    request = f"Error performing GET http://me:{SECRET}@127.0.0.1:5000/bucket/key in 3.0s"
    return Failure.of(Exception(f"Generic S3 error: {request} - HTTP error: error sending request\n\nkind: {kind}"))


def not_deleted(code: str, *, request: str = "DeleteObjects") -> Failure:
    """Return the failure of a request that deletes several objects, for one of them."""
    text = f"{request} request failed for key prefix/runs/1: {SECRET}\n(denied) (code: {code})"
    return Failure.of(Exception(f'Generic S3 error: {text}\n\nDebug source:\nGeneric {{ code: "{code}" }}'))


@pytest.mark.parametrize(
    ("failure", "url", "expected"),
    [
        (response("404 Not Found", "NoSuchBucket"), S3, "the bucket `bucket` does not exist"),
        (response("404 Not Found", "ContainerNotFound"), AZURE, "the container `container` does not exist"),
        (response("403 Forbidden", "AccessDenied"), S3, "no permission to read s3://bucket/prefix"),
        (not_deleted("AccessDenied"), S3, "no permission to read s3://bucket/prefix/runs/1"),
        (not_deleted("403", request="Bulk delete"), AZURE, "no permission to read az://container/prefix/runs/1"),
        (not_deleted("Unknown"), S3, "cannot read s3://bucket/prefix/runs/1: Unknown"),
        (response("403 Forbidden", "AuthorizationPermissionMismatch"), AZURE, "no permission to read"),
        (response("403 Forbidden", "InvalidAccessKeyId"), S3, "the store rejects the credentials"),
        (response("403 Forbidden", "SignatureDoesNotMatch"), S3, "the store rejects the credentials"),
        (response("403 Forbidden", "AuthenticationFailed"), AZURE, "the store rejects the credentials"),
        (response("401 Unauthorized"), AZURE, "the store rejects the credentials"),
        (response("400 Bad Request", "ExpiredToken"), S3, "the credentials have expired"),
        (response("400 Bad Request", "AuthorizationHeaderMalformed"), S3, "is not in the region eu-west-3"),
        (Failure.of(Exception("Received redirect without LOCATION, this indicates a region")), S3, "eu-west-3"),
        (response("501 Not Implemented", "NotImplemented"), S3, "does not support a request to read"),
        (response("400 Bad Request", "InvalidArgument"), S3, "status 400, InvalidArgument"),
        (Failure.of(Exception("Generic S3 error: Missing SecretAccessKey")), S3, "credentials are missing"),
        (
            Failure.of(Exception("Error performing PUT http://169.254.169.254/latest in 2.3ms")),
            S3,
            "the credentials are missing",
        ),
        (Failure.of(Exception("Account must be specified")), AZURE, "AZURE_STORAGE_ACCOUNT_NAME"),
    ],
)
def test_what_a_person_must_correct_exits_with_2(
    failure: Failure, url: ObjectUrl, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    error = failure.as_job_error(url, "read")
    assert error.exit_code == ExitCode.USAGE
    assert expected in str(error)
    assert SECRET not in str(error)
    assert not failure.is_transient


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (response("429 Too Many Requests", "SlowDown"), "too many requests (status 429)"),
        (response("503 Service Unavailable", "ServerBusy"), "too many requests (status 503)"),
        (response("500 Internal Server Error", "InternalError"), "the store failed with status 500"),
        (response("400 Bad Request", "RequestTimeout"), "the store failed with status 400"),
        (response("409 Conflict", "ConditionalRequestConflict"), "other writers"),
        (
            not_deleted("InternalError"),
            "cannot read s3://bucket/prefix/runs/1: the store failed with the code Internal",
        ),
        (not_deleted("SlowDown"), "too many requests (the code SlowDown)"),
        (no_response("Timeout"), "no response from 127.0.0.1:5000 in time"),
        (no_response("Connect"), "no connection to 127.0.0.1:5000"),
        (no_response("Request"), "the connection to 127.0.0.1:5000 was closed"),
    ],
)
def test_transient_error_is_retried_and_exits_with_5(failure: Failure, expected: str) -> None:
    error = failure.as_job_error(S3, "read")
    assert error.exit_code == ExitCode.MISSING_RESOURCE
    assert expected in str(error)
    assert SECRET not in str(error)
    assert failure.is_transient


def test_credentials_that_expire_during_a_run_exit_with_5() -> None:
    expired = response("400 Bad Request", "ExpiredToken")
    assert expired.as_job_error(S3, "read", worked_before=True).exit_code == ExitCode.MISSING_RESOURCE


def test_a_wrong_clock_exits_with_5() -> None:
    error = response("403 Forbidden", "RequestTimeTooSkewed").as_job_error(S3, "read")
    assert error.exit_code == ExitCode.MISSING_RESOURCE
    assert "clock" in str(error)
