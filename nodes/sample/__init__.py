"""Made-up subjects and records for demos, tests and benches: every code is an `XX` sample, every name says so."""

from nodes.sample.scenarios import SCENARIOS, Scenario, scenarios
from nodes.sample.writing import write_sample

__all__ = ["SCENARIOS", "Scenario", "scenarios", "write_sample"]
