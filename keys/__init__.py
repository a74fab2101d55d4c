"""Who may speak: suites, envelopes, the directory, certificates, and the custody of keys.

Pure but for `custody`, the only file I/O. It imports nothing else of this project.
"""

__all__ = [
    "bodies",
    "custody",
    "directory",
    "envelope",
    "errors",
    "members",
    "moments",
    "suite",
    "tls",
]
