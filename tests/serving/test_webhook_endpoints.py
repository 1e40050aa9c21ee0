"""A wrong file of endpoints is refused at start, with all that is wrong, and without a secret in what is said."""

from base64 import b64encode
from pathlib import Path

import pytest

from serving.webhooks.endpoints import EndpointError, read_endpoints
from tests.live import tracker

GOOD = "whsec_" + b64encode(bytes(range(32))).decode()
ENDPOINT = '[[endpoint]]\nname = "crm"\nurl = "https://crm.bank.example/alerts"\nsecret_file = "secret"\n'


def written(folder: Path, text: str, secret: str = GOOD) -> Path:
    folder.joinpath("secret").write_text(secret)
    file = folder / "webhooks.toml"
    file.write_text(text)
    return file


def test_a_good_file_is_read_and_two_secrets_sign_while_one_is_changed(tmp_path: Path) -> None:
    (endpoint,) = read_endpoints(written(tmp_path, ENDPOINT, f"{GOOD}\n{GOOD}\n"))
    assert (endpoint.name, len(endpoint.signers)) == ("crm", 2)
    assert endpoint.described.kinds == ("churn_risk", "next_best_offer")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no [[endpoint]]"),
        ("a = ", "is not TOML"),
        ("[endpoints]\n", "there is [[endpoint]]"),
        (ENDPOINT + "colour = 1\n", "unknown field `colour`"),
        (ENDPOINT + 'kinds = ["churn"]\n', "at `kinds[0]`"),
        (ENDPOINT + "timeout_seconds = 0\n", "at `timeout_seconds`"),
        (ENDPOINT + ENDPOINT, "endpoint crm: another has the same name"),
        (ENDPOINT.replace("https", "http"), "must begin with https://: http:// is for receivers on the same machine"),
        (ENDPOINT.replace("https://", "https://anna:pass@"), "must have no user, password or fragment"),
        (ENDPOINT.replace("https://crm.bank.example/alerts", "ftp://crm.bank.example"), "must begin with https://"),
        (ENDPOINT.replace("https://crm.bank.example/alerts", "https://[crm"), "is no URL"),
        (ENDPOINT.replace('"secret"', '"nowhere"'), "can't be read: No such file or directory, at `secret_file`"),
        (ENDPOINT * 21, "holds 21 endpoints; there may be 20"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(EndpointError) as refused:
        read_endpoints(written(tmp_path, text))
    assert said in str(refused.value)
    assert "pass" not in str(refused.value).replace("password", "")


@pytest.mark.parametrize(
    "secret", ["", "hunter2hunter2", "whsec_", "whsec_hunter2!", "whsec_aHVudGVyMg==", f"{GOOD} " * 3]
)
def test_a_secret_that_is_none_is_refused_and_not_repeated(tmp_path: Path, secret: str) -> None:
    with pytest.raises(EndpointError, match="at `secret_file`") as refused:
        read_endpoints(written(tmp_path, ENDPOINT, secret))
    assert "hunter" not in str(refused.value)
    assert GOOD not in str(refused.value)


def test_the_command_says_all_mistakes_at_once_and_a_secret_it_makes_is_good(tmp_path: Path) -> None:
    file = written(tmp_path, ENDPOINT.replace("https", "http") + ENDPOINT.replace('"secret"', '"nowhere"'))
    refused = tracker("webhooks", "check", file, status=1).output
    assert "endpoint 1: must begin with https" in refused
    assert "endpoint 2: can't be read" in refused
    file = written(tmp_path, ENDPOINT, tracker("webhooks", "secret").stdout)
    assert (
        "crm: churn_risk, next_best_offer to https://crm.bank.example/alerts"
        in tracker("webhooks", "check", file).output
    )
