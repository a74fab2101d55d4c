"""Makes XLSX packages by hand, good ones and those that no spreadsheet would write."""

import io
import zipfile
from collections.abc import Mapping

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
STYLES = (
    f'<styleSheet xmlns="{MAIN}"><numFmts><numFmt numFmtId="200" formatCode="yyyy&quot;年&quot;m"/></numFmts>'
    '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="200"/><xf numFmtId="46"/></cellXfs></styleSheet>'
)
GOOD = '<row><c t="inlineStr"><is><t>a</t></is></c><c t="inlineStr"><is><t>b</t></is></c></row>'


def row(*cells: str) -> str:
    """A row of given cells."""
    return f"<row>{''.join(cells)}</row>"


def sheet(rows: str, *, head: str = HEAD) -> str:
    """A worksheet part."""
    return f'{head}<worksheet xmlns="{MAIN}"><dimension ref="A1:A1"/><sheetData>{rows}</sheetData></worksheet>'


def parts(*sheets: str, strings: str = "", properties: str = "", relation: str = "") -> dict[str, str]:
    """The parts of a workbook with these sheets, each under its name."""
    numbers = range(1, len(sheets) + 1)
    names = "".join(f'<sheet name="S{each}" sheetId="{each}" r:id="rId{each}"/>' for each in numbers)
    related = "".join(
        f'<Relationship Id="rId{each}" Type="{RELATIONS}/worksheet" Target="worksheets/sheet{each}.xml"/>'
        for each in numbers
    )
    related += f'<Relationship Id="s" Type="{RELATIONS}/styles" Target="/xl/styles.xml"/>{relation}'
    made = {
        "xl/workbook.xml": f'{HEAD}<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}">{properties}'
        f"<sheets>{names}</sheets></workbook>",
        "xl/styles.xml": STYLES,
        **{f"xl/worksheets/sheet{each}.xml": text for each, text in zip(numbers, sheets, strict=True)},
    }
    if strings:
        related += f'<Relationship Id="t" Type="{RELATIONS}/sharedStrings" Target="sharedStrings.xml"/>'
        made["xl/sharedStrings.xml"] = f'<sst xmlns="{MAIN}">{strings}</sst>'
    made["xl/_rels/workbook.xml.rels"] = f"<Relationships>{related}</Relationships>"
    return made


def packed(made: Mapping[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """The package of some parts."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as package:
        for name, content in made.items():
            package.writestr(name, content)
    return file.getvalue()


def workbook(*rows: str) -> bytes:
    """A workbook of one sheet with a header `a`, `b` and some rows below."""
    return packed(parts(sheet(GOOD + "".join(rows))))
