"""Drills on real processes of a federation of their own: what must not fail is tried while calls go on."""

from nodes.drill.keys import DrillError, KeysDrill, KeysStory

__all__ = ["DrillError", "KeysDrill", "KeysStory"]
