"""Verifies an answer file offline (duty U24): genuine and in time, from the root's key and the bytes alone.

It cannot tell what happened after the file was made: the status is UNKNOWN. Bad content is no error: the
verdict names the part and the check that failed.
"""

from gateway.verification.binding import bound
from gateway.verification.files import verify
from gateway.verification.verdict import Check, Content, Heard, Part, Status, Unreadable, Verdict

__all__ = ["Check", "Content", "Heard", "Part", "Status", "Unreadable", "Verdict", "bound", "verify"]
