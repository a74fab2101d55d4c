"""Made-up subjects and records for demos, tests and benches: every code is an `XX` sample, every name says so."""

from nodes.sample.batch import BatchRow, batch_rows
from nodes.sample.scenarios import SCENARIOS, Scenario, scenarios
from nodes.sample.writing import Sample, write_sample

__all__ = ["SCENARIOS", "BatchRow", "Sample", "Scenario", "batch_rows", "scenarios", "write_sample"]
