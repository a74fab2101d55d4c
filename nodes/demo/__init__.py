"""The demonstration: a federation of real processes on this machine, asked through the real command line."""

from nodes.demo.questions import MARKET, SUPERVISION
from nodes.demo.run import Demo
from nodes.demo.shell import DemoError, Shell

__all__ = ["MARKET", "SUPERVISION", "Demo", "DemoError", "Shell"]
