"""Kind `probe`: no subjects and no fields; only tests table it, to prove that no step names a kind."""

from __future__ import annotations

from gateway.kinds.row import Kind, Said
from gateway.model.answer import ProbeItem
from gateway.model.question import ProbeQuestion

KIND = Kind(
    name="probe",
    question=ProbeQuestion,
    item=ProbeItem,
    fields={},
    subjects=lambda _body: (),
    requested=lambda _body: (),
    domains=lambda _body: (),
    window=lambda _body: None,
    columns=lambda _grant: {},
    needs=lambda _grant, _catalogue: {},
    release=lambda body, _facts, _grant, _scene: Said(
        body=ProbeItem(text=body.text), found=True, covered=True, disputed=False, used=()
    ),
    combine=lambda _uscc, _items, _combining: {},
    adverse=lambda body: body.text is not None,
)
