"""The federation as data: a folder of TOML files, and its compilation into what is signed and loaded."""

from nodes.federation.compiling import Standing, document, is_hub, lifetimes, officers, sections
from nodes.federation.feeds import feeds
from nodes.federation.folder import REFERENCE, Folder, read_folder

__all__ = [
    "REFERENCE",
    "Folder",
    "Standing",
    "document",
    "feeds",
    "is_hub",
    "lifetimes",
    "officers",
    "read_folder",
    "sections",
]
