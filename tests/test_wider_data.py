"""The wider sample: one hub and three sub-members on top of the four regions, by rows of data alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.catalogue import read_catalogue
from gateway.errors import CatalogueMalformed
from nodes.cli import main
from nodes.config import ConfigError, read_config
from nodes.federation import REFERENCE, feeds, is_hub, officers, read_folder, sections
from nodes.federation.folder import WIDER
from nodes.setup import read_entry

HUB = "900000"
SUB_MEMBERS = {"310118": "310000", "310107": "310000", "340500": "340000"}


def widened(folder: Path, text: str) -> Path:
    """Write a folder that widens the reference."""
    (folder / "more.toml").write_text(f'base = "{REFERENCE}"\n{text}', encoding="utf-8")
    return folder


def test_the_wider_folder_adds_to_the_reference() -> None:
    """Every table of the reference stands in it, and the new rows beside them."""
    members = read_folder(WIDER).members
    assert set(members) == {*read_folder(REFERENCE).members, HUB, *SUB_MEMBERS}
    assert {member: members[member]["parent"] for member in SUB_MEMBERS} == SUB_MEMBERS
    for member, parent in SUB_MEMBERS.items():
        assert all(each.startswith(tuple(members[parent]["divisions"])) for each in members[member]["divisions"])
    assert read_catalogue(sections(WIDER)).purposes == read_catalogue(sections(REFERENCE)).purposes


@pytest.mark.parametrize("member", SUB_MEMBERS)
def test_a_sub_member_has_rules_feeds_and_agencies_of_its_own(member: str) -> None:
    """Each has a clock rule, a list of measures, items, officers and every feed that a region has."""
    held = read_catalogue(sections(WIDER))
    assert [each.version for each in held.clocks if each.member == member] == [f"{member}-2026.1"]
    assert [each.edition for each in held.measure_lists if each.member == member] == ["2026"]
    assert any(each.member == member for each in held.applications.values())
    assert {agency for agency in officers(WIDER, member) if agency.startswith(member)}
    assert len(feeds(WIDER, member)) == len(feeds(REFERENCE, "310000"))


def test_an_agency_belongs_to_one_member() -> None:
    """What a sub-member has its province has given away."""
    named = [agency for member in read_folder(WIDER).members for agency in officers(WIDER, member)]
    assert len(set(named)) == len(named)
    assert "310118-market" in officers(WIDER, "310118")
    assert "310118-market" in officers(REFERENCE, "310000")


def test_a_district_has_agreements_with_cities() -> None:
    """Putuo's four are for recognition and go before the regions'; a city without a node is a part of its province."""
    held = read_catalogue(sections(WIDER)).agreements
    putuo = {each.area[1]: each for each in held.values() if each.id.startswith("PUTUO-")}
    assert {area: each.parties[1] for area, each in putuo.items()} == {
        "3405": "340500", "3412": "340000", "3411": "340000", "3410": "340000",
    }  # fmt: skip
    for each in putuo.values():
        assert each.precedence < held["YRD-4-2026"].precedence
        assert (each.purposes, each.kinds, each.area[0]) == (("RATING_RECOGNITION",), ("rating",), "310107")


def test_a_change_sets_fields_of_one_row(tmp_path: Path) -> None:
    """The fields that are named change, those of one row; every other stays."""
    before, after = read_folder(REFERENCE), read_folder(widened(tmp_path, '[changes.members.320000]\nvia = ["900000"]'))
    assert after.members["320000"] == {**before.members["320000"], "via": ["900000"]}
    assert {**after.members, "320000": None} == {**before.members, "320000": None}


@pytest.mark.parametrize("text", ["[changes.members.999999]\nvia = []", "[changes.nothing.320000]\nvia = []"])
def test_a_change_of_no_row_is_named(tmp_path: Path, text: str) -> None:
    """A change that meets nothing is a typing error."""
    with pytest.raises(CatalogueMalformed, match="changes"):
        read_folder(widened(tmp_path, text))


def test_a_base_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A folder that widens nothing is no federation."""
    (tmp_path / "more.toml").write_text('base = "nowhere"\n', encoding="utf-8")
    with pytest.raises(CatalogueMalformed, match="nowhere"):
        read_folder(tmp_path)


def test_a_hub_alone_is_a_hub() -> None:
    """The row says so; a member that is not there has no row."""
    assert {each for each in read_folder(WIDER).members if is_hub(WIDER, each)} == {HUB}
    with pytest.raises(CatalogueMalformed, match="999999"):
        is_hub(WIDER, "999999")


def hub_folder(tmp_path: Path) -> Path:
    """Make a hub's folder by the command line."""
    folder = tmp_path / "hub"
    arguments = ["--lang", "en", "node", "init", str(folder), "--member", HUB, "--federation", str(WIDER)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    for name in ("directory.json", "root.json"):
        (folder / name).write_text("{}", encoding="utf-8")
    return folder


def test_the_command_line_makes_a_hub_without_keys(tmp_path: Path) -> None:
    """Certificates and a config that says what it is; the public entry names an address and no key."""
    folder = hub_folder(tmp_path)
    assert {each.name for each in (folder / "keys").iterdir()} == {
        "ca.crt", "ca.pem", "issuing.pem", "node.pem", "passphrase",
    }  # fmt: skip
    config: Any = read_config(folder / "node.toml")
    assert (config.member, config.role) == (HUB, "hub")
    standing = read_entry((folder / "entry.json").read_text(encoding="utf-8")).standing
    assert (tuple(standing.keys), dict(standing.officers), standing.endpoint) == ((), {}, "127.0.0.1:7310")


@pytest.mark.parametrize("name", ["signing", "storage"])
def test_a_hubs_config_names_no_key_that_signs_or_opens(tmp_path: Path, name: str) -> None:
    """A key that a hub must not have is a fault of its config, not an option."""
    path = hub_folder(tmp_path) / "node.toml"
    text = path.read_text(encoding="utf-8").replace("[keys]\n", f'[keys]\n{name} = "x.key"\n')
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=f"keys.{name}"):
        read_config(path)
