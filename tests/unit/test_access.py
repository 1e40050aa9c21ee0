"""Access keys, sessions and roles: who may what, and for how long."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from serving.access import MAY, ROLES, Access, AccessError, Person, hash_of, new_key, read_keys

TODAY = datetime.now(UTC).date()


def table(name: str, key: str, roles: str = '"viewer"', days: int = 10) -> str:
    expires = TODAY + timedelta(days=days)
    return f'[[key]]\nname = "{name}"\nsha256 = "{hash_of(key)}"\nroles = [{roles}]\nexpires = {expires}\n'


def test_a_key_is_who_the_file_says(tmp_path: Path) -> None:
    key, file = new_key(), tmp_path / "keys.toml"
    file.write_text(table("anna", key, '"marketer", "privacy"'))
    access = Access(file, "")
    person = access.person(key)
    assert person is not None
    assert (person.name, person.roles) == ("anna", ("marketer", "privacy"))
    assert access.person(new_key()) is None
    assert key not in file.read_text()


def test_a_key_expires_and_can_be_taken_away_at_once(tmp_path: Path) -> None:
    old, key, file = new_key(), new_key(), tmp_path / "keys.toml"
    file.write_text(table("old", old, days=0) + table("anna", key))
    access = Access(file, "")
    assert access.person(old) is None
    session = access.session(key)
    assert session is not None
    assert access.of_session(session) is not None
    file.write_text(table("old", old))
    assert access.person(key) is None
    assert access.of_session(session) is None, "its sessions end with the key"


def test_a_file_that_is_spoilt_later_changes_nothing(tmp_path: Path) -> None:
    key, file = new_key(), tmp_path / "keys.toml"
    file.write_text(table("anna", key))
    access = Access(file, "")
    file.write_text("[[key")
    assert access.person(key) is not None


def test_a_session_can_be_neither_made_up_nor_changed(tmp_path: Path) -> None:
    key, file = new_key(), tmp_path / "keys.toml"
    file.write_text(table("anna", key))
    access = Access(file, "")
    session = access.session(key)
    assert session is not None
    assert access.of_session(session[:-4] + "AAA=") is None
    assert access.of_session(hash_of(key)) is None
    assert Access(file, "").of_session(session) is None, "another secret"
    assert Access(file, "s" * 32).of_session(Access(file, "s" * 32).session(key) or "") is not None


def test_a_token_belongs_to_one_session() -> None:
    access = Access(None, "")
    assert access.is_token("one", access.token("one"))
    assert not access.is_token("other", access.token("one"))
    assert not access.is_token("one", "")


def test_an_address_does_not_show_whom_it_is_about() -> None:
    access = Access(None, "")
    sealed = access.sealed("C000042")
    assert "C000042" not in sealed
    assert access.unsealed(sealed) == "C000042"
    assert access.unsealed(sealed[:-2]) is None
    assert Access(None, "").unsealed(sealed) is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no [[key]]"),
        ("[[key", "is not TOML"),
        ("[keys]\n" + table("a", "x"), "keys: there is no such table"),
        (table("a", "x", '"king"'), "key 1: Invalid enum value 'king'"),
        (table("a b", "x"), "key 1: Expected `str` matching regex"),
        (table("a", "x") + table("a", "y"), "key a: another has the same name"),
        (table("a", "x").replace("expires", "until"), "key 1: Object contains unknown field `until`"),
    ],
)
def test_every_mistake_in_the_file_is_named(text: str, told: str) -> None:
    with pytest.raises(AccessError) as error:
        read_keys(text)
    assert told in str(error.value)


def test_an_operator_does_not_see_whose_figures_they_are() -> None:
    assert not Person("o", ("operator",)).may("customers")
    assert not Person("o", ("operator",)).may("alerts")
    assert not Person("v", ("viewer",)).may("switches")
    assert not Person("m", ("marketer",)).may("export")
    assert set(MAY) == set(ROLES)
