"""Credentials and endpoints that object_store does not find by itself.

object_store reads the environment variables of each cloud, and obtains and renews tokens: of roles of a machine, of
containers, of web identities (Kubernetes service accounts), of managed identities, and of files of Google. This
module adds the shared files of AWS (`~/.aws/credentials`, `~/.aws/config`) and the variables of the Azure command line.
"""

import configparser
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from components.base.errors import ConfigError
from components.base.paths import require_path

AWS_IDENTITY = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
AWS_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
AZURE_ENDPOINTS = ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")
AZURE_SECRETS = (
    *("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_MASTER_KEY", "AZURE_STORAGE_KEY"),
    *("AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_SAS_KEY", "AZURE_STORAGE_CONNECTION_STRING"),
)
AZURE_NAMES = {"AZURE_STORAGE_ACCOUNT": "account_name", "AZURE_STORAGE_KEY": "account_key"}
"""Variables of the Azure command line, and the options of object_store."""
CONNECTION_STRING = {
    "AccountName": "account_name",
    "AccountKey": "account_key",
    "SharedAccessSignature": "sas_key",
    "BlobEndpoint": "endpoint",
}
"""Keys of `AZURE_STORAGE_CONNECTION_STRING`, and the options of object_store."""
EXPORT = "run `aws configure export-credentials --format env`, and set the variables that it prints"


@dataclass(frozen=True)
class Credentials:
    """What to add to the environment variables that object_store reads."""

    options: dict[str, str] = field(repr=False)
    """Of object_store."""
    allow_http: bool
    """Whether the endpoint is HTTP, such as that of a store on the same machine."""
    is_renewable: bool
    """Whether other credentials may be found later: not if they are values of environment variables."""


PREFIXES = {"s3": "AWS_", "az": "AZURE_", "gs": "GOOGLE_"}
"""Beginnings of the environment variables that object_store reads."""


def unset_empty_variables(scheme: str, environment: MutableMapping[str, str]) -> None:
    """Remove the variables of a scheme that are empty: object_store would sign requests with an empty key."""
    for name in [name for name, value in environment.items() if name.startswith(PREFIXES[scheme]) and not value]:
        del environment[name]


def find_credentials(scheme: str, environment: Mapping[str, str]) -> Credentials:
    """Return the credentials for URLs of a scheme.

    Raises:
        ConfigError: if a file of credentials is unreadable, or has no credentials that the job can use.
    """
    environment = {name: value for name, value in environment.items() if value}
    match scheme:
        case "s3":
            options = _aws_options(environment)
            endpoint = _first(environment, AWS_ENDPOINTS) or options.get("endpoint", "")
            is_renewable = "AWS_ACCESS_KEY_ID" not in environment
        case "az":
            options = _azure_options(environment)
            endpoint = _first(environment, AZURE_ENDPOINTS) or options.get("endpoint", "")
            is_renewable = not _first(environment, AZURE_SECRETS)
        case _:
            options, endpoint, is_renewable = {}, "", True
    return Credentials(options, endpoint.startswith("http://"), is_renewable)


def _aws_options(environment: Mapping[str, str]) -> dict[str, str]:
    """Return region, endpoint and keys of the profile, without those that environment variables set."""
    profile = environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE")
    found = _aws_profile(profile or "default", environment)
    options = {}
    if not _first(environment, ("AWS_REGION", "AWS_DEFAULT_REGION")) and "region" in found:
        options["region"] = found["region"]
    if not _first(environment, AWS_ENDPOINTS) and "endpoint_url" in found:
        options["endpoint"] = found["endpoint_url"]
    if "AWS_ACCESS_KEY_ID" in environment or (profile is None and _first(environment, AWS_IDENTITY)):
        return options
    names = {
        "access_key_id": "aws_access_key_id",
        "secret_access_key": "aws_secret_access_key",
        "session_token": "aws_session_token",
    }
    options |= {option: found[name] for option, name in names.items() if name in found}
    if profile is not None and "access_key_id" not in options:
        problem = "has no keys" if found else "does not exist"
        raise ConfigError.at("AWS_PROFILE", f"the profile `{profile}` {problem}", expected="keys", remedy=EXPORT)
    return options


def _aws_profile(profile: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the values of a profile in both files; those of the file of credentials come first."""
    config = _read_ini("AWS_CONFIG_FILE", "~/.aws/config", environment)
    credentials = _read_ini("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", environment)
    return {**config.get(profile, {}), **config.get(f"profile {profile}", {}), **credentials.get(profile, {})}


def _read_ini(variable: str, default: str, environment: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the sections of a file; none if it does not exist."""
    try:
        named = environment.get(variable)
        path = require_path(variable, named) if named else Path(default).expanduser()
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, RuntimeError):  # RuntimeError: a user without a home
        return {}
    except (OSError, UnicodeDecodeError):
        text = None
    parser = configparser.ConfigParser(interpolation=None, default_section="", strict=False)
    if text is not None:
        with suppress(configparser.Error):  # its text quotes lines of the file, as that of UnicodeDecodeError
            parser.read_string(text)
            return {name: dict(parser[name]) for name in parser.sections()}
    raise ConfigError(
        f"the file {path} cannot be read",
        expected="a file of the AWS command line, with sections of names and values",
        remedy=f"correct it, or name another one with {variable}",
    )


def _azure_options(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the options in variables of the Azure command line, which have other names in object_store."""
    if "AZURE_STORAGE_ACCOUNT_NAME" in environment:
        return {}
    if text := environment.get("AZURE_STORAGE_CONNECTION_STRING"):
        parts = dict(part.split("=", 1) for part in text.split(";") if "=" in part)
        options = {option: parts[key] for key, option in CONNECTION_STRING.items() if key in parts}
        if "account_name" not in options:
            where = "AZURE_STORAGE_CONNECTION_STRING"
            raise ConfigError.at(where, "has no AccountName", expected="a connection string of a storage account")
        if suffix := parts.get("EndpointSuffix"):
            options.setdefault("endpoint", f"https://{options['account_name']}.blob.{suffix}")
        return options
    return {option: environment[name] for name, option in AZURE_NAMES.items() if name in environment}


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((environment[name] for name in names if name in environment), "")
