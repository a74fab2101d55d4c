"""The way in for a member's own records: files of a feed become facts, and everything raw is dropped on the way.

One module a family of files; `loads.ingest` knows none of them by name.
"""

from nodes.ingest.files import Fault, FileRefused
from nodes.ingest.loads import Expected, Terms, ingest
from nodes.ingest.releases import release
from nodes.ingest.report import Problem, Reason, Report

__all__ = ["Expected", "Fault", "FileRefused", "Problem", "Reason", "Report", "Terms", "ingest", "release"]
