"""How large a file may be in each of its parts, so that none can fill the memory (threat 17)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLimits:
    """The bounds within which a file is read; beyond them it is refused."""

    line_characters: int = 1 << 20
    """A line of a CSV file, and about so much of a row whose quotes hold lines; markup in which no element begins."""
    columns: int = 200
    cell_characters: int = 131_072
    """A cell of a workbook; for CSV its reader has this bound of its own."""
    rows: int = 1 << 20
    """Rows of an XLSX sheet, which is what spreadsheets hold; a CSV file may have any number."""
    entries: int = 1_000
    """Files inside an XLSX package."""
    part_bytes: int = 2 << 30
    """Unpacked bytes of one part of a package."""
    all_bytes: int = 3 << 30
    """Unpacked bytes of a package."""
    ratio: int = 300
    """How many times larger than packed a part may become; sheets of like rows reach 100, a bomb 1,000."""
    plan_bytes: int = 4 << 20
    """Unpacked bytes of a part that is read at once: the workbook, its relations, its styles."""
    shared_strings: int = 2_000_000
    shared_characters: int = 1 << 27
