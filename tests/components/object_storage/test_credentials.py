"""Credentials come from variables, from files of AWS and from those of Azure; they are read again on demand."""

from pathlib import Path

import pytest

from components.base.errors import ConfigError, ResourceError
from components.object_storage import ObjectUrl
from components.object_storage.credentials import find_credentials, unset_empty_variables
from components.object_storage.obstore_objects import ObstoreObjects
from components.object_storage.settings import StorageSettings
from tests.support.cases import parametrize_sample
from tests.support.faulty_proxy import Fault, FaultyProxy, error
from tests.support.object_servers import Bucket

CREDENTIALS = """
[default]
aws_access_key_id = FIRST
aws_secret_access_key = first-secret

[spare]
aws_access_key_id = SPARE
aws_secret_access_key = spare%secret
aws_session_token = token==
"""
CONFIG = """
[default]
region = eu-west-3
s3 =
    max_concurrent_requests = 10

[profile spare]
region = eu-north-1
endpoint_url = http://127.0.0.1:9000

[profile company]
sso_session = company
"""


@pytest.fixture
def aws(tmp_path: Path) -> dict[str, str]:
    """Return an environment with both files of the AWS command line."""
    (tmp_path / "credentials").write_text(CREDENTIALS)
    (tmp_path / "config").write_text(CONFIG)
    return {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"), "AWS_CONFIG_FILE": str(tmp_path / "config")}


def test_the_default_profile_is_read(aws: dict[str, str]) -> None:
    found = find_credentials("s3", aws)
    keys = {"access_key_id": "FIRST", "secret_access_key": "first-secret"}
    assert found.options == {"region": "eu-west-3", **keys}
    assert (found.is_renewable, found.allow_http) == (True, False)


def test_a_named_profile_is_read(aws: dict[str, str]) -> None:
    found = find_credentials("s3", {**aws, "AWS_PROFILE": "spare"})
    assert found.options == {
        "region": "eu-north-1",
        "endpoint": "http://127.0.0.1:9000",
        "access_key_id": "SPARE",
        "secret_access_key": "spare%secret",
        "session_token": "token==",
    }
    assert found.allow_http


def test_variables_come_before_files(aws: dict[str, str]) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "B", "AWS_REGION": "us-east-1"}
    found = find_credentials("s3", {**aws, **keys, "AWS_PROFILE": "spare", "AWS_ENDPOINT_URL": "https://host"})
    assert (found.options, found.is_renewable, found.allow_http) == ({}, False, False)


@pytest.mark.parametrize("variable", ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"])
def test_an_identity_comes_before_the_default_profile(aws: dict[str, str], variable: str) -> None:
    assert "access_key_id" not in find_credentials("s3", {**aws, variable: "/token"}).options
    assert "access_key_id" in find_credentials("s3", {**aws, variable: "/token", "AWS_PROFILE": "spare"}).options


@pytest.mark.parametrize(("profile", "problem"), [("company", "has no keys"), ("missing", "does not exist")])
def test_a_profile_without_keys_exits_with_2(aws: dict[str, str], profile: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=f"AWS_PROFILE: the profile `{profile}` {problem}"):
        find_credentials("s3", {**aws, "AWS_PROFILE": profile})


@pytest.mark.parametrize(
    "content", [b"aws_secret_access_key = secret", b"[default]\nsecret", b"[default]\nk=secret\xff"]
)
def test_a_broken_file_is_reported_without_its_content(aws: dict[str, str], content: bytes) -> None:
    Path(aws["AWS_SHARED_CREDENTIALS_FILE"]).write_bytes(content)
    with pytest.raises(ConfigError, match="credentials cannot be read") as raised:
        find_credentials("s3", aws)
    assert "secret" not in str(raised.value)
    assert raised.value.__context__ is None


def test_a_machine_without_files_has_no_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_credentials("s3", {"AWS_CONFIG_FILE": str(tmp_path / "missing")}).options == {}


def test_azure_connection_strings_and_names_of_its_command_line() -> None:
    text = "DefaultEndpointsProtocol=https;AccountName=me;AccountKey=a2V5==;EndpointSuffix=core.chinacloudapi.cn"
    found = find_credentials("az", {"AZURE_STORAGE_CONNECTION_STRING": text})
    endpoint = "https://me.blob.core.chinacloudapi.cn"
    assert found.options == {"account_name": "me", "account_key": "a2V5==", "endpoint": endpoint}
    assert "a2V5" not in repr(found)
    short = {"AZURE_STORAGE_ACCOUNT": "me", "AZURE_STORAGE_KEY": "key"}
    assert find_credentials("az", short).options == {"account_name": "me", "account_key": "key"}
    assert find_credentials("az", {**short, "AZURE_STORAGE_ACCOUNT_NAME": "other"}).options == {}
    with pytest.raises(ConfigError, match="has no AccountName"):
        find_credentials("az", {"AZURE_STORAGE_CONNECTION_STRING": "secret"})


def use_file(monkeypatch: pytest.MonkeyPatch, path: Path, key: str) -> None:
    """Use a file of credentials in place of variables."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    write_file(path, key)


def write_file(path: Path, key: str) -> None:
    path.write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = secret-of-{key}\n")


@parametrize_sample(1, "code", ["ExpiredToken", "InvalidAccessKeyId"])
def test_credentials_that_expire_are_read_again(
    s3: Bucket, s3_proxy: FaultyProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    use_file(monkeypatch, file := tmp_path / "credentials", "FIRST")
    objects = ObstoreObjects(ObjectUrl.parse(s3.url))
    assert objects.create("a", b"1")
    # Three requests fail: another program writes the file a little later.
    seen: list[str] = []

    def expire(path: str) -> None:
        seen.append(path)
        if len(seen) == 3:
            write_file(file, "SECOND")

    s3_proxy.plan(Fault("status", code=code, count=3, call=expire))
    assert objects.create("b", b"2")
    s3_proxy.plan()
    objects.download("b", tmp_path / "b")
    objects.upload(tmp_path / "b", "c")
    assert {request.access_key for request in s3_proxy.requests} == {"SECOND"}


def test_credentials_that_stay_expired_exit_with_5(
    s3: Bucket, s3_proxy: FaultyProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_file(monkeypatch, tmp_path / "credentials", "FIRST")
    objects = ObstoreObjects(ObjectUrl.parse(s3.url), StorageSettings(retries=2))
    objects.create("a", b"1")
    s3_proxy.plan(error("ExpiredToken"))
    with pytest.raises(ResourceError, match="the credentials have expired"):
        objects.upload(b"1", "b")
    assert s3_proxy.count() == 3


def test_empty_variables_of_a_store_count_as_unset() -> None:
    environment = {"AWS_ACCESS_KEY_ID": "", "AWS_REGION": "eu-west-3", "AZURE_CLIENT_ID": "", "PATH": ""}
    unset_empty_variables("s3", environment)
    assert environment == {"AWS_REGION": "eu-west-3", "AZURE_CLIENT_ID": "", "PATH": ""}
