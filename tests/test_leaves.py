"""The node's leaf: renewed at half of its life under a pinned issuing CA, shared by workers, and what is not used."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from keepers import ME, NOW, Desk, make_desk
from structlog.testing import capture_logs

from keys import custody, tls
from keys.errors import CertificateRefused, CustodyError
from keys.tls import Leaf, name_peer
from nodes.alarms import ROLES, Alarms, lives
from nodes.credentials import Credentials
from nodes.leaves import Leaves

DAY = timedelta(days=1)
HALF = 45 * DAY  # the lab's first leaf lives ninety days


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Give a member of a federation whose clock stands."""
    return make_desk(tmp_path)


def opened(desk: Desk) -> Leaves:
    """Open the leaf as one worker does."""
    return Leaves(desk.lab.config(ME).leaf, desk.passphrase)


def span(leaf: Leaf) -> timedelta:
    """Give how long a leaf lives."""
    return leaf.life[1] - leaf.life[0]


def test_a_leaf_is_renewed_at_half_of_its_life(desk: Desk) -> None:
    """Not before; then for seven days under the same name, and again when half of those are over."""
    leaves = opened(desk)
    first, charter = leaves.current, desk.charter
    assert not leaves.poll(charter, NOW + HALF - DAY)
    assert leaves.poll(charter, NOW + HALF + DAY)
    second = leaves.current
    assert (tls.spiffe_of(second.certificate_pem), second.key_pem == first.key_pem) == (
        tls.spiffe_of(first.certificate_pem),
        False,
    )
    assert abs(span(second) - 7 * DAY) <= timedelta(minutes=6)
    assert not leaves.poll(charter, NOW + HALF + 4 * DAY)
    assert leaves.poll(charter, NOW + HALF + 5 * DAY)


def test_workers_share_one_leaf(desk: Desk) -> None:
    """Whoever is first renews; the other takes the same leaf over, and makes none of its own."""
    first, second = opened(desk), opened(desk)
    later = NOW + HALF + DAY
    assert first.poll(desk.charter, later)
    assert second.poll(desk.charter, later)
    assert first.current == second.current
    assert (first.poll(desk.charter, later), second.poll(desk.charter, later)) == (False, False)


def test_a_renewed_leaf_proves_this_member_and_no_other(desk: Desk) -> None:
    """A renewed leaf is refused where its issuing CA is not pinned for the very member that it names (threat 24)."""
    leaves = opened(desk)
    leaves.poll(desk.charter, NOW + HALF + DAY)
    pem = leaves.current.certificate_pem
    assert name_peer(pem, desk.charter.directory, NOW + HALF + 2 * DAY).member == ME
    desk.lab.standings[ME], desk.lab.standings["320000"] = desk.lab.standings["320000"], desk.lab.standings[ME]
    keys = {each: desk.lab.standings[each].keys for each in (ME, "320000")}
    for member, other in ((ME, "320000"), ("320000", ME)):
        desk.lab.edits.append(partial(_keep_keys, member=member, keys=keys[other]))
    desk.lab.publish()
    with pytest.raises(CertificateRefused, match="not issued under the CA of 310000"):
        name_peer(pem, desk.charter.directory, NOW + HALF + 2 * DAY)


def _keep_keys(document: dict[str, object], member: str, keys: object) -> None:
    rows = document["members"]
    assert isinstance(rows, list)
    (row,) = (each for each in rows if each["id"] == member)
    row["keys"], row["officers"] = keys, []


def test_a_new_issuing_ca_is_used_once_it_is_pinned_and_begins(desk: Desk) -> None:
    """The leaf follows the newest issuing CA from its beginning on; until the bundle pins it nothing changes."""
    leaves, authority = opened(desk), custody.load_issuer(desk.keys / "ca.pem", desk.passphrase)
    made = desk.keeper.rotate_issuing(authority, NOW + DAY)
    assert not leaves.poll(desk.charter, NOW + 2 * DAY)
    desk.publish()
    assert made in {each["id"] for each in desk.shown()["certificates"]}
    assert not leaves.poll(desk.charter, NOW + DAY - timedelta(minutes=1))
    assert leaves.poll(desk.charter, NOW + DAY + timedelta(minutes=1))
    newest = desk.entry.standing.issuing_certificates[-1].encode()
    assert leaves.current.issued_by(newest)
    assert not leaves.poll(desk.charter, NOW + 2 * DAY)


def test_without_a_pinned_issuing_ca_the_leaf_stays(desk: Desk) -> None:
    """An issuing CA that the bundle dropped renews nothing; by hand it says why."""
    leaves = opened(desk)
    (desk.keys / "issuing.pem").rename(desk.keys / "gone.pem")
    assert not leaves.poll(desk.charter, NOW + HALF + DAY)
    with pytest.raises(CustodyError, match="no issuing CA that is here is pinned"):
        leaves.renew(desk.charter, NOW)
    (desk.keys / "gone.pem").rename(desk.keys / "issuing.pem")
    assert leaves.poll(desk.charter, NOW + HALF + DAY)


def test_a_torn_issuing_ca_keeps_the_leaf(desk: Desk) -> None:
    """A file that does not open is no issuing CA, and stops nothing."""
    leaves = opened(desk)
    (desk.keys / "issuing-torn.pem").write_text("-----BEGIN", encoding="utf-8")
    (desk.keys / "issuing-torn.pem").chmod(0o600)
    assert leaves.poll(desk.charter, NOW + HALF + DAY)


def test_a_leaf_that_is_not_pinned_yet_waits(desk: Desk) -> None:
    """A leaf of a CA that the bundle does not pin is not used, however new; once pinned it is taken over."""
    leaves, other = opened(desk), tls.make_ca(ME, now=NOW)
    issuing = other.issue_intermediate(ME, NOW)
    leaf = issuing.issue_leaf(member=ME, role="node", name="node-1", now=NOW)
    custody.save_leaf(desk.lab.config(ME).leaf, leaf, desk.passphrase, replace=True)
    assert not leaves.poll(desk.charter, NOW)
    desk.lab.edits.append(lambda document: _pin(document, other.certificate_pem, issuing.certificate_pem))
    desk.lab.publish()
    assert leaves.poll(desk.charter, NOW)
    assert leaves.current == leaf
    assert not leaves.poll(desk.charter, NOW + 5 * DAY)  # no key of its issuer is here: it is renewed elsewhere


def _pin(document: dict[str, object], ca: bytes, issuing: bytes) -> None:
    rows = document["members"]
    assert isinstance(rows, list)
    (row,) = (each for each in rows if each["id"] == ME)
    row["ca_certificates"].append(ca.decode())
    row["issuing_certificates"].append(issuing.decode())


def test_alarms_tell_each_step_once(desk: Desk) -> None:
    """What ends is named with its days; a step is logged when it is reached, and not again."""
    alarms, leaf, charter = Alarms(), opened(desk).current, desk.charter
    ends, told = lives(charter, leaf)["sign"].ends, []
    for left in (200.0, 29, 28, 13, 12.5, 6, 0.5, 0):
        with capture_logs() as logs:
            alarms.poll(charter, leaf, ends - left * DAY)
        told.append([each["days"] for each in logs if each["event"] == "ends_soon" and each["what"] == "sign"])
    assert told == [[], [30], [], [14], [], [7], [1], [0]]
    uses = {"sign", "seal", "ledger", "witness", "leaf", "issuing", "ca"}
    assert uses | ROLES == set(alarms.poll(charter, leaf, NOW))


def test_credentials_follow_the_files(desk: Desk) -> None:
    """One object gives signer, leaf and faults as directory, folder and clock stand now."""
    held = Credentials(desk.lab.config(ME), lambda: desk.charter, lambda: desk.now)
    held.poll()
    assert (held.faults(), held.signer().id) == ((), desk.entry.standing.keys[0]["id"])
    assert held.ends["sign"][1] is None
    desk.keeper.revoke(held.signer().id, None)
    desk.publish()
    desk.now = NOW + timedelta(seconds=1)
    assert held.faults() == ("KeyNotValid",)
    desk.now = NOW + 400 * DAY
    assert held.faults() == ("KeyNotValid", "CertificateExpired")
