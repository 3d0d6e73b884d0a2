"""A person's settings: read back as written, damaged ones told in words, ledgers found by name, URL or folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import UsageError
from ledger.settings import PERSON, Settings

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


def env(folder: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(folder)}


def test_nothing_yet_is_no_fault(tmp_path: Path) -> None:
    """Without a file there are empty settings; naming no ledger is then told as such."""
    settings = Settings.load(env(tmp_path))
    assert (settings.default, dict(settings.ledgers), dict(settings.person)) == (None, {}, {})
    assert settings.trust_dir == tmp_path / "bening" / "trust"
    with pytest.raises(UsageError) as error:
        settings.locate(None)
    assert error.value.code == "no-ledger"


def test_the_home_folder_is_the_fallback(tmp_path: Path) -> None:
    """Without XDG_CONFIG_HOME (or with a relative one, which the standard forbids) settings lie in ~/.config."""
    for base in ({}, {"XDG_CONFIG_HOME": ""}, {"XDG_CONFIG_HOME": "relative"}):
        assert Settings.load({"HOME": str(tmp_path), **base}).path == tmp_path / ".config" / "bening" / "config.toml"


@given(st.dictionaries(st.sampled_from(PERSON), _TEXT), _TEXT)
def test_saved_settings_are_read_back(tmp_path_factory: pytest.TempPathFactory, person: dict[str, str], url: str) -> None:
    """load(save(x)) is x, whatever a person types, controls and quotes included."""
    folder = tmp_path_factory.mktemp("settings")
    before = Settings.load(env(folder)).with_ledger("kota", "https://" + url).with_person(**person)
    before.save()
    assert Settings.load(env(folder)) == before


def test_the_file_is_private_and_nothing_is_left_beside(tmp_path: Path) -> None:
    """Only the owner can read it, and writing leaves one file."""
    settings = Settings.load(env(tmp_path)).with_ledger("kota", str(tmp_path))
    settings.save()
    settings.save()
    assert settings.path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in settings.path.parent.iterdir()] == ["config.toml"]


@pytest.mark.parametrize("text", ["default = [", "default = 3", "ledgers = 3", "[person]\nkey = 3", "\udcff"])
def test_a_damaged_file_is_told(tmp_path: Path, text: str) -> None:
    """What cannot be read as settings is a usage error that names the file."""
    path = tmp_path / "bening" / "config.toml"
    path.parent.mkdir()
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UsageError) as error:
        Settings.load(env(tmp_path))
    assert error.value.code == "settings-damaged"
    assert str(path) in str(error.value.values["path"])


def test_a_ledger_is_found_by_name_url_or_folder(tmp_path: Path) -> None:
    """A name comes first, then a URL, then a folder that exists; anything else is refused."""
    settings = Settings.load(env(tmp_path)).with_ledger("kota", str(tmp_path / "home"))
    settings = settings.with_ledger("web", "https://a.example", default=False)
    assert settings.locate(None).value == str(tmp_path / "home")
    assert settings.locate("web").kind == "url"
    assert settings.locate("http://b.example/x").kind == "url"
    assert settings.locate(str(tmp_path)).name is None
    with pytest.raises(UsageError) as error:
        settings.locate("nowhere")
    assert error.value.code == "no-such-ledger"


@pytest.mark.parametrize("name", ["", "a b", "../x", "é", "-x"])
def test_a_ledger_name_is_plain(tmp_path: Path, name: str) -> None:
    """Names can stand in TOML and in file names as they are."""
    with pytest.raises(UsageError):
        Settings.load(env(tmp_path)).with_ledger(name, "https://a.example")


def test_an_empty_text_removes_a_fact(tmp_path: Path) -> None:
    """None keeps, an empty text removes."""
    settings = Settings.load(env(tmp_path)).with_person(office="a", form="sk")
    assert dict(settings.with_person(office=None, form="").person) == {"office": "a"}
