"""What codes are called: by the tables of the verified directory, in the chosen language, with the code beside."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from gateway.charter import Charter
from gateway.clocks import CHINA
from keys.errors import MemberUnknown
from nodes.cli.words import Words, plain


class Names:
    """The names of one verified directory."""

    def __init__(self, charter: Charter, words: Words) -> None:
        """Use a charter's tables."""
        self._charter, self._words = charter, words

    def member(self, member: str) -> str:
        """Name a member."""
        try:
            name = self._charter.directory.member(member).name
        except MemberUnknown:
            return plain(member)
        return f"{plain(name.zh if self._words.language == 'zh' else name.en)} {member}"

    def members(self, members: tuple[str, ...]) -> str:
        """Name several members."""
        return self._words.say("mark.comma").join(self.member(each) for each in members)

    def agency(self, agency: str) -> str:
        """Name an agency of the directory; others are codes."""
        row = self._charter.directory.agency(agency)
        return plain(agency) if row is None else self._with({"zh": row.name.zh, "en": row.name.en}, agency)

    def named(self, table: str, code: str) -> str:
        """Name a row of one of the catalogue's tables."""
        row = getattr(self._charter.catalogue, table).get(code)
        return self._with(row.name, code) if row else plain(code)

    def domain(self, code: str) -> str:
        """Name a domain, or the class of records that stands where a domain does."""
        if code in self._charter.catalogue.domains:
            return self.named("domains", code)
        return self._words.code("undivided", code)

    def scheme(self, scheme_id: str, version: str) -> str:
        """Name a version of a scheme."""
        rows = self._charter.catalogue.schemes
        row = next((each for each in rows if (each.id, each.version) == (scheme_id, version)), None)
        return self._with(row.name if row else {}, f"{scheme_id} {version}".strip())

    def _with(self, name: Mapping[str, str], code: str) -> str:
        found = name.get(self._words.language, "")
        return plain(code) if found in {"", code} else plain(f"{found} ({code})")


def moment(when: datetime | None) -> str:
    """Write an instant as an officer's clock shows it."""
    return when.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S +08:00") if when else ""
