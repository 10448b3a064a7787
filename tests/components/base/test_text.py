"""Text from outside: what is escaped, what is redacted, and what is refused."""

import json
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from components.base.errors import DataError
from components.base.text import escape_json, has_secret, parse_name, printable, redact
from tests.support.text import is_printable

SECRET = "a5ecret"  # noqa: S105
HOSTILE = st.one_of(
    st.text(max_size=300),
    st.text(st.sampled_from("\x00\x1b\n\t\x7f\x9b\u2028\u200f\u202e\u2069\ud800\udcff\\ 'é漢…"), max_size=300),
    st.text(st.sampled_from("https://me:word@host?api_key=&;#*% …'\n"), max_size=400),
    st.lists(
        st.sampled_from(["https://", "me:", "word", "@host", "?api_key=", "&sig=", "***", " … ", "%3B", "x" * 90, "\n"])
    ).map("".join),
)


@given(HOSTILE, st.integers(10, 250))
@settings(max_examples=40, deadline=None)
@example("https://host'" + "x" * 300 + "'me@host", 50)
@example("?key=" + "*" * 300, 50)
def test_printable_is_one_short_safe_line_and_idempotent(text: str, limit: int) -> None:
    shown = printable(text, limit)
    assert len(shown) <= limit
    assert all(map(is_printable, shown))
    assert printable(shown, limit) == shown


@given(st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp"), exclude_characters="@="), max_size=200))
@settings(max_examples=40, deadline=None)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    "uri",
    [
        "https://me:{}@host",
        "https:/me:{}@host",
        "https://me:a@{}@host/path",
        "https://{}@host",
        "postgresql+psycopg2://me:{}/x@host/db",
        "mssql+pyodbc:///?odbc_connect=DRIVER%3Dx%3BPWD%3D{}",
        *(
            f"https://host/path?a=1&{name}={{}}"
            for name in (
                *("password", "PASSWD", "pwd", "token", "access_token", "accessToken", "secret", "client-secret"),
                *("key", "api_key", "apikey", "apiKey", "%61pi_key", "api%5Fkey", "X-Amz-Signature", "sig", "code"),
                *("X-Amz-Credential", "sas", "authorization", "auth", "AccountKey"),
            )
        ),
        "https://host/path#access_token={}",
    ],
)
def test_secrets_of_uris_are_found_and_redacted(uri: str) -> None:
    uri = uri.format(SECRET)
    assert has_secret(uri) == ("://" in uri)
    for message in (printable(uri), printable(f"--set tracking.mlflow.uri='{uri}': failed", 1000), redact(f"a\n{uri}")):
        assert SECRET not in message
        assert not has_secret(message)
    assert SECRET not in str(DataError("x", remedy=f"see {uri}").remedy)


@pytest.mark.parametrize(
    "uri",
    [
        *("https://host/path?keyspace=x&monkey=y&design=z", "https://host?tokenizer=x", "https://host?encode=x"),
        *("postgresql://me@host/db", "sqlite:////home/me@work/mlflow.db", "mailto:me@host", "what?key=5.png"),
        *("file:/home/me@work/x", "C:/me@work"),
    ],
)
def test_ordinary_uris_have_no_secret(uri: str) -> None:
    assert not has_secret(uri)
    if "?" not in uri or "://" in uri:
        assert printable(uri) == uri


def test_secret_is_found_despite_spaces_and_quotes() -> None:
    assert has_secret("https://me:a b@host")
    assert has_secret("https://me:it's@host")
    assert has_secret("https://me:a\nb@host")


def test_millions_of_characters_are_cut_before_they_are_examined() -> None:
    shown = printable("://" * 2_000_000 + "@end")
    assert len(shown) == 200
    assert shown.endswith("end")


@given(st.text(max_size=50))
@settings(max_examples=40, deadline=None)
def test_escaped_json_has_the_same_value(text: str) -> None:
    escaped = escape_json(json.dumps([text], ensure_ascii=False, indent=2))
    assert json.loads(escaped) == [text]
    assert all(map(is_printable, escaped.replace("\n", "")))


@pytest.mark.parametrize("name", ["a\x1b[31mb", "a\u202eb", "a\nb", "a\0b", "\x9b", "\udcff", "", " "])
def test_unprintable_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"the name") as caught:
        parse_name(name)
    assert all(map(is_printable, str(caught.value)))


@pytest.mark.parametrize("name", ["0", "seven", "sept œufs", "七", "שבע", "[/b]", "$x$", "a" * 255, "👩‍🔬"])
def test_names_in_every_script_are_accepted(name: str) -> None:
    assert parse_name(name) == name
    assert re.fullmatch(r"\S+(?: \S+)*", name)
