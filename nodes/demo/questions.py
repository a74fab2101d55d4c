"""What the demonstration asks: what must be answered, and what must be refused for its own reason."""

from __future__ import annotations

from dataclasses import dataclass

MARKET, CREDIT, MUNICIPAL = "310118-market/o1", "310118-credit/o1", "310000-credit/o1"

DELAYED = "DEMO-3"
"""The case of which nothing is shown yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One `yrdx ask`: the officer, the kind, the scenario's subject, and the options."""

    title: str
    officer: str
    kind: str
    slug: str
    options: tuple[str, ...]
    consent: str = ""
    reason: str = ""
    """Why it must be refused; empty where it must be answered."""

    delayed: bool = False
    """Whether two officers delay what its subject is shown of its case."""


SUPERVISION = ("--purpose", "DAILY_SUPERVISION", "--item", "SH-2026-010")
QUESTIONS = (
    Question(
        title="summary: penalties in three regions, a severe listing in Anhui",
        officer=MARKET, kind="summary", slug="listed", options=(*SUPERVISION, "--window", "M36"),
    ),
    Question(
        title="measures: what may be applied in Shanghai, and what is for information only",
        officer=MARKET, kind="measures", slug="listed",
        options=("--purpose", "JOINT_PUNISHMENT", "--item", "SH-2026-014", "--case", "DEMO-1"),
    ),
    Question(
        title="no_violation: a clean enterprise, domain by domain, with its authorisation",
        officer=MARKET, kind="no_violation", slug="clean", consent="NO_VIOLATION_REPORT",
        options=("--purpose", "NO_VIOLATION_REPORT", "--item", "SH-2026-015", "--window", "M36"),
    ),
    Question(
        title="rating: the grade at home and every region's ceiling",
        officer=MARKET, kind="rating", slug="listed", options=SUPERVISION,
    ),
    Question(
        title="recognition: a Jiashan enterprise asked from Qingpu, under the demonstration zone's agreement",
        officer=CREDIT, kind="rating", slug="zone-rated", consent="RATING_RECOGNITION",
        options=("--purpose", "RATING_RECOGNITION", "--item", "SH-2026-012"),
    ),
    Question(
        title="measures: the clean enterprise, for a case that two officers keep from it for now",
        officer=MARKET, kind="measures", slug="clean", delayed=True,
        options=("--purpose", "JOINT_PUNISHMENT", "--item", "SH-2026-014", "--case", DELAYED),
    ),
)  # fmt: skip
REFUSED = (
    Question(
        title="no case is named", reason="CASE_MISSING",
        officer=MARKET, kind="measures", slug="listed",
        options=("--purpose", "JOINT_PUNISHMENT", "--item", "SH-2026-014"),
    ),
    Question(
        title="the subject's authorisation was for one use, and is spent", reason="AUTHORISATION_MISSING",
        officer=MARKET, kind="no_violation", slug="clean",
        options=("--purpose", "NO_VIOLATION_REPORT", "--item", "SH-2026-015", "--window", "M12"),
    ),
    Question(
        title="the agency lies outside the demonstration zone", reason="NOT_IN_SCOPE",
        officer=MUNICIPAL, kind="rating", slug="zone-rated",
        consent="RATING_RECOGNITION",
        options=("--purpose", "RATING_RECOGNITION", "--item", "SH-2026-012", "--agreement", "ZONE-2026"),
    ),
    Question(
        title="a sole trader, whom this purpose does not open", reason="SUBJECT_KIND_CLOSED",
        officer=MUNICIPAL, kind="summary", slug="sole-trader",
        options=("--purpose", "SCI_TECH_PROJECT", "--item", "SH-2026-011", "--case", "DEMO-2", "--window", "M36"),
    ),
)  # fmt: skip
