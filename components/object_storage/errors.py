"""Errors of an object store as errors of the job.

obstore describes an error only in the text of its message, which contains the response of the server. That text may
contain secrets (the text to sign, signed URLs), so that no message, and no context of an exception, repeats it.
"""

import os
import re
from dataclasses import dataclass

from components.base.errors import ConfigError, JobError, ResourceError
from components.object_storage.url import ObjectUrl

STATUS = re.compile(r"status code: (\d{3})\b")
CODE = re.compile(r"<Code>([\w.]{1,64})</Code>")
NOT_DELETED = re.compile(r"request failed for key (.{1,1024}?): .{0,1000}?\(code: (\w{1,64})\)", re.DOTALL)
"""In an error of a request that deletes several objects and succeeds, but not for one of them."""
RETRIED = re.compile(r", after (\d+) retries, max_retries: (\d+)")
ADDRESS = re.compile(r"Error performing [A-Z]+ https?://(?:[^/@\s]*@)?([^/?@\s,]{1,255})")

NO_BUCKET = {"NoSuchBucket", "ContainerNotFound", "ContainerDisabled", "InvalidBucketName"}
OTHER_REGION = {"PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraint"}
EXPIRED = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"}
REJECTED = {
    *("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidSecurity", "AuthFailure"),
    *("AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation", "UnauthorizedAccess"),
}
DENIED = {"AccessDenied", "AllAccessDisabled", "AuthorizationPermissionMismatch", "AuthorizationFailure"}
UNSUPPORTED = {"NotImplemented", "UnsupportedHeader", "UnsupportedHttpVerb"}
TRANSIENT_CODES = {
    *("RequestTimeout", "SlowDown", "TooManyRequests", "InternalError", "ServiceUnavailable", "ServerBusy"),
    *("OperationTimedOut", "ConditionalRequestConflict", "OperationAborted", "NoSuchUpload", "InvalidBlockList"),
}
"""Codes of transient errors, with any status: another attempt may succeed."""
TRANSIENT_STATUSES = {408, 409, 412, 429, *range(500, 600)}
"""409 and 412 too: they reach this module only where the condition of a request holds."""
NO_CREDENTIALS = re.compile(
    r"token request|token file|redential|Missing ?\w*Key|must be specified|Access Key|account|SAS"
)
"""In an error without a request: credentials are missing or cannot be decoded."""
CREDENTIALS_HOST = re.compile(r"169\.254\.|sts\.|login\.|oauth2\.|metadata\.|iamcredentials\.")
"""Beginnings of the hosts that issue credentials."""
EXPIRED_SIGNATURE = re.compile(r"Signature not valid in the specified time frame|Signature did not match.{0,80}expir")


@dataclass(frozen=True)
class Failure:
    """The content of the message of an error of obstore."""

    status: int
    """HTTP status of the response; 0 without a response."""
    code: str
    """Error code of the response, such as `SlowDown`; empty if it has none, as responses to HEAD."""
    address: str
    """Host and port of the request; empty if there was none."""
    text: str
    """The whole message. Never part of a message of the job."""
    key: str = ""
    """Key in the bucket of the one object that could not be deleted; empty if the whole request failed."""

    @classmethod
    def of(cls, error: BaseException) -> "Failure":
        """Parse the message of an error."""
        text = str(error)
        status, code, address = STATUS.search(text), CODE.search(text), ADDRESS.search(text)
        if status is None and (object_error := NOT_DELETED.search(text)):
            key, reason = object_error.groups()  # in Azure, the reason is a status
            number, name = (int(reason), "") if reason.isdecimal() else (0, reason)
            return cls(number, name, "", text[:10_000], key)
        return cls(
            int(status[1]) if status else 0, code[1] if code else "", address[1] if address else "", text[:10_000]
        )

    @property
    def is_no_bucket(self) -> bool:
        """Whether the bucket does not exist."""
        return self.code in NO_BUCKET

    @property
    def is_no_credentials(self) -> bool:
        """Whether there are no credentials, or reading or renewing them failed."""
        if self.address:
            return CREDENTIALS_HOST.match(self.address) is not None
        return NO_CREDENTIALS.search(self.text.partition("\n")[0]) is not None

    @property
    def is_expired(self) -> bool:
        """Whether the credentials were valid before."""
        return self.code in EXPIRED or EXPIRED_SIGNATURE.search(self.text) is not None

    @property
    def is_unauthorized(self) -> bool:
        """Whether other credentials may help."""
        return self.code in REJECTED or self.status == 401 or self.is_expired

    @property
    def is_transient(self) -> bool:
        """Whether another attempt may succeed."""
        if self.is_no_credentials or self.code in NO_BUCKET | OTHER_REGION | REJECTED | UNSUPPORTED or self.is_expired:
            return False
        if self.status or self.code:
            return self.code in TRANSIENT_CODES or self.status in TRANSIENT_STATUSES - {501}
        return "HTTP error" in self.text and "builder error" not in self.text

    @property
    def is_retried(self) -> bool:
        """Whether object_store has made all attempts that the settings allow."""
        found = RETRIED.search(self.text)
        return found is not None and int(found[1]) >= int(found[2])

    @property
    def is_timeout(self) -> bool:
        """Whether there was no response in time."""
        return not self.status and ("TimedOut" in self.text or "kind: Timeout" in self.text)

    def as_job_error(self, url: ObjectUrl, action: str, *, worked_before: bool = False) -> JobError:
        """Return the error for an action, such as "read", on a URL.

        Credentials that worked before and do not any more are a ResourceError: another attempt gets new ones.
        """
        lost = ResourceError if worked_before else ConfigError
        if self.key and self.key.startswith(url.prefix):
            url = ObjectUrl(url.scheme, url.bucket, self.key)
        if self.is_no_bucket:
            noun = "container" if url.scheme == "az" else "bucket"
            return ConfigError(
                f"the {noun} `{url.bucket}` does not exist",
                expected=f"a {noun} that exists",
                remedy="create it, or correct the URL",
            )
        if self.code in OTHER_REGION or "region" in self.text.partition("\n")[0]:
            region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
            return ConfigError(
                f"the bucket `{url.bucket}` is not in the region {region}",
                expected="the region of the bucket",
                remedy="set AWS_REGION to it",
            )
        if self.code == "RequestTimeTooSkewed" or "Request date header too old" in self.text:
            return ResourceError(
                f"{url}: the clock of this machine differs too much from that of the store",
                expected="a difference of a few minutes at most",
                remedy="correct the clock, or use another machine",
            )
        if self.is_expired:
            return lost(
                f"{url}: the credentials have expired", expected=CREDENTIALS[url.scheme], remedy="obtain new ones"
            )
        if self.is_no_credentials:
            problem = "cannot be renewed" if worked_before else "are missing or cannot be read"
            return lost(f"{url}: the credentials {problem}", expected=CREDENTIALS[url.scheme], remedy="set them")
        if self.code in REJECTED or self.status == 401:
            return lost(
                f"{url}: the store rejects the credentials",
                expected=CREDENTIALS[url.scheme],
                remedy="correct the credentials",
            )
        if self.status == 403 or self.code in DENIED:
            return ConfigError(
                f"no permission to {action} {url}",
                expected="credentials that allow to list, read, write and delete below the URL",
                remedy="grant the permission, or use other credentials",
            )
        if self.code in UNSUPPORTED or self.status == 501:
            return ConfigError(
                f"{url}: the store does not support a request to {action}",
                expected="a store with conditional writes (If-None-Match, If-Match)",
                remedy="check it with `python -m job doctor --root URL`",
            )
        if self.is_transient:
            return ResourceError(
                f"cannot {action} {url}: {self._problem()}",
                expected="a store that responds",
                remedy="check the network and the endpoint, and run the same command again",
            )
        status = f"status {self.status}" if self.status else ""
        found = ", ".join(filter(None, (status, self.code))) or "an invalid configuration"
        return ConfigError(
            f"cannot {action} {url}: {found}",
            expected="a request that the store accepts",
            remedy="correct the environment variables of the store, such as its endpoint",
        )

    def _problem(self) -> str:
        place = f" from {self.address}" if self.address else ""
        if self.status in (409, 412):
            return "other writers change it at the same time"
        if self.status == 429 or self.code in ("SlowDown", "ServerBusy"):
            return f"the store receives too many requests ({self._status()})"
        if self.status or self.code:
            return f"the store failed with {self._status()}"
        if self.is_timeout:
            return f"no response{place} in time"
        if "kind: Connect" in self.text:
            return f"no connection to {self.address or 'the store'}"
        return f"the connection{place and f' to {self.address}'} was closed"

    def _status(self) -> str:
        return f"status {self.status}" if self.status else f"the code {self.code}"


CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or a role of this machine",
    "az": "AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN, or an identity",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS with the path of a file, or a service account of this machine",
}


def check_bucket(error: FileNotFoundError) -> None:
    """Raise the error if it says that the bucket does not exist, and not only the object."""
    if Failure.of(error).is_no_bucket:
        raise error
