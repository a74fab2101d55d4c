"""Drills on real processes of a federation of their own: what must not fail is tried while calls go on."""

from nodes.drill.keys import DrillError, KeysDrill, KeysStory
from nodes.drill.restore import RestoreDrill, RestoreStory

__all__ = ["DrillError", "KeysDrill", "KeysStory", "RestoreDrill", "RestoreStory"]
