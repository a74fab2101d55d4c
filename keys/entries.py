"""Entries of the signed bundle's document: each read from its place into the record of `keys.members`."""

import re

from keys.jsontext import Place
from keys.members import Agency, Filing, Key, Member, Name, Officer, Role

DIVISION_SIZE = 12

_MEMBER_ID = re.compile(r"[0-9]{6}")
_AGENCY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_OFFICER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}/[A-Za-z0-9][A-Za-z0-9._-]{0,30}")
_KEY_ID = re.compile(r"[0-9]{6}/[0-9a-f]{16}")
_DIVISION = re.compile(rf"[0-9]{{2,{DIVISION_SIZE}}}")
_PURPOSE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_SUITE = re.compile(r"[A-Z0-9][A-Z0-9-]{0,31}")
_ENDPOINT = re.compile(r"([A-Za-z0-9.-]{1,253}|\[[0-9a-f:]{2,45}\]):[0-9]{1,5}")
_CERTIFICATE = re.compile(
    r"-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=]{1,64}\n){1,256}-----END CERTIFICATE-----\n?",
)
_PERSON = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SORT = re.compile(r"[a-z_]{1,32}")
_WORD = re.compile(r"[a-z]{1,32}")
_FEW = 64
_MANY = 100_000


def read_suites(place: Place) -> tuple[str, ...]:
    """Return the suites that the directory allows; `place` raises for any other form."""
    return _texts(place, _SUITE)


def read_member(place: Place) -> Member:
    """Return the member at this place; `place` raises for any other form."""
    part = place.members(Member.__slots__)
    member_id = part["id"].text(_MEMBER_ID)
    return place.build(
        Member,
        id=member_id,
        name=_name(part["name"]),
        parent=part["parent"].maybe(lambda parent: parent.text(_MEMBER_ID)),
        divisions=_texts(part["divisions"], _DIVISION),
        suspended=part["suspended"].flag(),
        hub=part["hub"].flag(),
        expire_time=part["expire_time"].moment(),
        endpoint=part["endpoint"].maybe(lambda endpoint: endpoint.text(_ENDPOINT)),
        via=_texts(part["via"], _MEMBER_ID),
        ca_certificates=_certificates(part["ca_certificates"]),
        issuing_certificates=_certificates(part["issuing_certificates"]),
        keys=tuple(_key(each) for each in part["keys"].items(limit=_FEW)),
        agencies=tuple(_agency(each, member_id) for each in part["agencies"].items(limit=_MANY)),
        officers=tuple(_officer(each) for each in part["officers"].items(limit=_MANY)),
    )


def _key(place: Place) -> Key:
    part = place.members(Key.__slots__)
    return place.build(
        Key,
        id=part["id"].text(_KEY_ID),
        suite=part["suite"].text(_SUITE),
        use=part["use"].text(_WORD),
        public=part["public"].octets(),
        valid_from=part["valid_from"].moment(),
        valid_until=part["valid_until"].moment(),
        revoked_time=part["revoked_time"].maybe(Place.moment),
        suspect_from=part["suspect_from"].maybe(Place.moment),
    )


def _agency(place: Place, member_id: str) -> Agency:
    part = place.members(set(Agency.__slots__) - {"member"}, optional=("sort", "filing"))
    return place.build(
        Agency,
        id=part["id"].text(_AGENCY_ID),
        member=member_id,
        name=_name(part["name"]),
        division=part["division"].text(_DIVISION),
        purposes=_texts(part["purposes"], _PURPOSE),
        active_from=part["active_from"].day(),
        active_until=part["active_until"].maybe(Place.day),
        suspended=part["suspended"].flag(),
        sort=part["sort"].text(_SORT) if "sort" in part else "department",
        filing=part["filing"].maybe(_filing) if "filing" in part else None,
    )


def _filing(place: Place) -> Filing:
    part = place.members(("number", "authority", "from", "until"))
    from_day, until_day = part["from"].day(), part["until"].maybe(Place.day)
    return place.build(
        Filing, number=part["number"].text(), authority=_name(part["authority"]), from_day=from_day, until_day=until_day
    )


def _officer(place: Place) -> Officer:
    part = place.members(Officer.__slots__, optional=("person",))
    return place.build(
        Officer,
        id=part["id"].text(_OFFICER_ID),
        agency=part["agency"].text(_AGENCY_ID),
        public=part["public"].octets(),
        roles=tuple(_role(each) for each in part["roles"].items(limit=_FEW)),
        person=part["person"].text(_PERSON) if "person" in part else None,
    )


def _role(place: Place) -> Role:
    part = place.members(("role", "from", "until"))
    role, from_day, until_day = part["role"].text(_WORD), part["from"].day(), part["until"].maybe(Place.day)
    return place.build(Role, role=role, from_day=from_day, until_day=until_day)


def _name(place: Place) -> Name:
    part = place.members(Name.__slots__)
    return Name(zh=part["zh"].text(), en=part["en"].text())


def _certificates(place: Place) -> tuple[bytes, ...]:
    return tuple(each.text(_CERTIFICATE).encode("ascii") for each in place.items(limit=_FEW))


def _texts(place: Place, pattern: re.Pattern[str]) -> tuple[str, ...]:
    texts = tuple(each.text(pattern) for each in place.items(limit=_MANY))
    if len(set(texts)) != len(texts):
        place.fail("has an item twice")
    return texts
