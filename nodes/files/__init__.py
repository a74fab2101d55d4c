"""The only place where a person's table is opened or written: CSV and XLSX, strictly, and in bounded memory.

A file that breaks the rules is refused as a whole, because its columns cannot be trusted to mean what they say.
What stands in the cells is not judged here.
"""

from nodes.files.cells import UNSURE
from nodes.files.faults import Fault, FileRefused
from nodes.files.limits import FileLimits
from nodes.files.tables import Table, open_table
from nodes.files.writing import Writer, defused, open_writer

__all__ = ["UNSURE", "Fault", "FileLimits", "FileRefused", "Table", "Writer", "defused", "open_table", "open_writer"]
