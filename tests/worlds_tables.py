"""The tables of policy of one small federation, as the signed directory would carry them; for tests only."""

from __future__ import annotations

from datetime import date
from typing import Any

from gateway.model.codes import Severity, Window

TODAY = date(2026, 3, 10)
SHANGHAI, JIANGSU, ZHEJIANG, ANHUI = "310000", "320000", "330000", "340000"
MEMBERS = (SHANGHAI, JIANGSU, ZHEJIANG, ANHUI)
DIVISIONS = {member: (member[:2],) for member in MEMBERS}
USCC = "91310000132260250X"
FOREIGN_USCC = "91110000100003962T"
DOMAINS = ("ENVIRONMENT", "IP", "TAX")
PURPOSE, REPORT, MATTER, AGREEMENT = "DAILY_SUPERVISION", "NO_VIOLATION_REPORT", "SH-INSPECTION", "DELTA-2026"
SCHEME, LEVELS = "CN-COMPREHENSIVE", ("优", "良", "中", "差")
FIELDS = {
    "summary": (
        "penalty.severity",
        "penalty.band",
        "penalty.latest_month",
        "penalty.unrepaired",
        "permit.valid",
        "permit.expiry_month",
        "listing.listed",
        "listing.since_month",
        "listing.basis_class",
    ),
    "rating": (
        "rating.scheme_kind",
        "rating.grade",
        "rating.rated_date",
        "rating.valid_until_date",
        "rating.status",
        "ceiling.grade",
    ),
    "measures": (
        "measure.territory",
        "measure.list_edition",
        "measure.legal_basis",
        "measure.agency",
        "measure.term_from_date",
        "measure.term_until_date",
    ),
    "no_violation": ("verdict.verdict",),
    "probe": (),
}
DATA_ITEMS = ("penalty", "permit", "listing", "rating", "ceiling", "measure", "verdict")
_SINCE = {"valid_from": "2020-01-01"}


def sections() -> dict[str, Any]:
    """Give the tables of policy as the signed directory would carry them; samples, for tests only."""
    return {
        "domains": [{"code": code, "name": _name(code)} for code in DOMAINS],
        "list_types": [
            {"code": "TAX_SEVERE", "name": _name("重大税收违法"), "domain": "TAX", "severe": True},
            {"code": "IP_WATCH", "name": _name("重点关注"), "domain": "IP", "severe": False},
        ],
        "measures": [
            {"code": code, "name": _name(code), "reward": code.startswith("MR")}
            for code in ("MR01", "MP01", "MP09", "MP11")
        ],
        "data_items": [{"id": each, "label": "open", **_SINCE} for each in DATA_ITEMS],
        "purposes": [purpose(PURPOSE), purpose(REPORT, shows_repaired=True)],
        "applications": [
            {
                "id": MATTER,
                "member": SHANGHAI,
                "name": _name("日常监管"),
                "purpose": PURPOSE,
                "domains": ["*"],
                "edition": "2026",
                **_SINCE,
            }
        ],
        "agreements": [
            {
                "id": AGREEMENT,
                "edition": 1,
                "name": _name("长三角"),
                "parties": list(MEMBERS),
                "area": ["31", "32", "33", "34"],
                "purposes": [PURPOSE, REPORT],
                "domains": ["*"],
                "kinds": list(FIELDS),
                "precedence": 1,
                **_SINCE,
            }
        ],
        "measure_lists": [
            {
                "member": SHANGHAI,
                "edition": "2026",
                "measures": [
                    {"code": "MP01", "applications": [MATTER], "rank": 1},
                    {"code": "MP09", "applications": ["*"], "rank": 2},
                    {"code": "MP11", "applications": ["SH-TENDER"], "rank": 3},
                    {"code": "MR01", "applications": [MATTER, "SH-TENDER"], "rank": 9},
                ],
                **_SINCE,
            }
        ],
        "behaviours": [],
        "class_rules": [{"id": "SIMPLE", "procedures": ["SIMPLE"], "severity": "MINOR", **_SINCE}],
        "classification_version": "2026-01",
        "clocks": [
            {
                "member": member,
                "version": "order-36",
                "publish_months": {"MINOR": 3, "GENERAL": 12, "SERIOUS": 36},
                "lookup_months": 60,
                **_SINCE,
            }
            for member in MEMBERS
        ],
        "ceilings": [
            {
                "version": "caps-1",
                "cases": [
                    {
                        "reason_class": "GENERAL_PENALTY",
                        "table": "penalty",
                        "grade": "B",
                        "severity": "GENERAL",
                    },
                    {
                        "reason_class": "SERIOUS_PENALTY",
                        "table": "penalty",
                        "grade": "C",
                        "severity": "SERIOUS",
                    },
                    {"reason_class": "SEVERE_LIST", "table": "listing", "grade": "D"},
                ],
                **_SINCE,
            }
        ],
        "schemes": [
            {
                "id": SCHEME,
                "version": "2025",
                "kind": "COMPREHENSIVE",
                "member": "",
                "name": _name("综合评价"),
                "levels": list(LEVELS),
                "cycle_months": 12,
                "sample": True,
                **_SINCE,
            }
        ],
        "mappings": [
            {
                "id": "M-CN",
                "version": "1",
                "scheme_id": SCHEME,
                "scheme_version": "2025",
                "levels": dict(zip(LEVELS, "ABCD", strict=True)),
                "sample": True,
                **_SINCE,
            }
        ],
        "working_days": [
            {"year": 2026, "holidays": ["2026-03-11"], "workdays": ["2026-03-14"]},
        ],
        "loading_rules": [{"reporting_days": 7, "withdrawal_percent": 2, **_SINCE}],
        "agency_codes": [],
        "division_codes": [{"code": "310108", "name": "闸北区", "valid_until": "2024-01-01", **_SINCE}],
        "limits": {},
    }


def purpose(code: str, *, shows_repaired: bool = False) -> dict[str, Any]:
    """Give a purpose that may ask everything."""
    windows = [each.value for each in Window]
    return {
        "code": code,
        "name": _name(code),
        "stage": "during",
        "legal_basis": "sample",
        "sample": True,
        "authorisation": "NONE",
        "authorisation_age_minutes": 0,
        "case_required": False,
        "second_officer": False,
        "daily_subjects": 200,
        "answer_hours": 24,
        "retention_months": 12,
        "opens_sole_traders": False,
        "shows_repaired": shows_repaired,
        "domain_bound": False,
        "severities": [each.value for each in Severity],
        "kinds": {kind: {"fields": list(fields), "windows": windows} for kind, fields in FIELDS.items()},
        **_SINCE,
    }


def _name(text: str) -> dict[str, str]:
    return {"zh": text, "en": text}
