"""Requests to a licensed CA and what comes back: names kept, order, validity, and every chain that is refused."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from keepers import ME, NOW, Desk, make_desk

from keys import certificates, custody, requests, tls
from keys.errors import CertificateRefused, CustodyError
from keys.requests import Chain, read_chain
from keys.tls import PeerName

LATER = NOW + timedelta(days=1)
NODE = PeerName(member=ME, role="node", name="node-1")


def licensed(now: datetime = NOW) -> tuple[bytes, bytes]:
    """Make a licensed CA, whose name is no member's: its certificate and key."""
    key = certificates.new_key()
    name = certificates.common_name("Licensed CA 示例")
    builder = certificates.draft(name, life=timedelta(days=3650), now=now, under=None, key=key)
    return certificates.signed(certificates.with_ca_profile(builder, path_length=2), key), certificates.key_pem(key)


def issue(request: bytes, ca: tuple[bytes, bytes], *, leaf: bool, days: int = 90, keep_names: bool = True) -> bytes:
    """Issue what a request asks for, as the licensed CA does; give the chain."""
    asked = x509.load_pem_x509_csr(request)
    assert asked.is_signature_valid
    public = asked.public_key()
    under = certificates.read(ca[0])
    builder = certificates.draft(
        asked.subject, life=timedelta(days=days), now=NOW, under=under, key=_Public(public)  # type: ignore[arg-type]
    )  # fmt: skip
    if leaf:
        names = asked.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        kept = list(names) if keep_names else [each for each in names if not isinstance(each, x509.DNSName)]
        builder = certificates.with_leaf_profile(builder, kept, serves=True)
    else:
        builder = certificates.with_ca_profile(builder, path_length=0)
    return certificates.signed(builder, certificates.read_key(ca[1])) + ca[0]


class _Public:
    """A key of which only the public half is here."""

    def __init__(self, public: object) -> None:
        self._public = public

    def public_key(self) -> object:
        """Give it."""
        return self._public


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Give a member of a federation whose clock stands."""
    return make_desk(tmp_path)


@pytest.mark.parametrize("use", ["leaf", "issuing"])
def test_a_chain_comes_back_and_is_pinned(desk: Desk, tmp_path: Path, use: str) -> None:
    """The request goes out, the chain comes in; the entry pins what issued the leaf and its anchor, never a leaf."""
    ca, out = licensed(), tmp_path / "sh.csr"
    (tmp_path / "old").write_bytes(desk.lab.config(ME).leaf.read_bytes())
    config = desk.home / "node.toml"
    asked = desk.run("csr", "--config", config, "--use", use, "--out", out)
    assert (asked.exit_code, b"PRIVATE" in out.read_bytes()) == (0, False)
    chain = tmp_path / "chain.pem"
    chain.write_bytes(issue(out.read_bytes(), ca, leaf=use == "leaf"))
    took = desk.run("chain", chain, "--config", config, "--use", use)
    assert (took.exit_code, took.output[:5]) == (0, "Made ")
    desk.publish()
    pinned = desk.charter.directory.member(ME)
    assert ca[0].strip() in {each.strip() for each in pinned.ca_certificates}
    assert not (desk.keys / f"request-{use}.pem").exists()
    if use == "leaf":
        leaf = custody.load_leaf(desk.lab.config(ME).leaf, desk.passphrase)
        assert tls.name_peer(leaf.certificate_pem, desk.charter.directory, LATER) == NODE
    else:
        desk.now = LATER
        renewed = desk.run("rotate", "--config", config, "--use", "leaf")
        assert renewed.exit_code == 0, renewed.output
        leaf = custody.load_leaf(desk.lab.config(ME).leaf, desk.passphrase)
        assert leaf.issued_by(chain.read_bytes())
        assert tls.name_peer(leaf.certificate_pem, desk.charter.directory, LATER) == NODE


def test_one_request_waits_at_a_time(desk: Desk, tmp_path: Path) -> None:
    """A second request would orphan the first one's key."""
    desk.keeper.request("leaf", tmp_path / "a")
    with pytest.raises(CustodyError, match="never written over"):
        desk.keeper.request("leaf", tmp_path / "b")


def test_a_chain_of_another_request_is_refused(desk: Desk, tmp_path: Path) -> None:
    """What was issued for another key is not taken, and the one that is here stays."""
    before, ca = desk.lab.config(ME).leaf.read_bytes(), licensed()
    desk.keeper.request("leaf", tmp_path / "a")
    strange = requests.request_leaf(NODE)
    with pytest.raises(CertificateRefused, match="not the certificate's"):
        desk.keeper.take_chain("leaf", issue(strange.request_pem, ca, leaf=True))
    assert desk.lab.config(ME).leaf.read_bytes() == before
    assert (desk.keys / "request-leaf.pem").exists()


def test_names_that_were_dropped_are_refused() -> None:
    """A leaf without the server's name, or of another peer, is not what was asked for."""
    ca, asked = licensed(), requests.request_leaf(NODE)
    nameless = read_chain(issue(asked.request_pem, ca, leaf=True, keep_names=False))
    with pytest.raises(CertificateRefused, match="does not bear the names"):
        requests.take_leaf(nameless, asked.key_pem, NODE)
    chain = read_chain(issue(asked.request_pem, ca, leaf=True))
    with pytest.raises(CertificateRefused, match="does not bear the names"):
        requests.take_leaf(chain, asked.key_pem, PeerName(member=ME, role="node", name="node-2"))
    assert requests.take_leaf(chain, asked.key_pem, NODE).key_pem == asked.key_pem


def test_a_leaf_without_names_at_all_is_refused() -> None:
    """A certificate without alternative names proves no peer."""
    ca, asked = licensed(), requests.request_issuing(ME)
    chain = read_chain(issue(asked.request_pem, ca, leaf=False))
    with pytest.raises(CertificateRefused):
        requests.take_leaf(chain, asked.key_pem, NODE)


def test_another_members_issuing_ca_is_refused() -> None:
    """The subject of the request must stand."""
    ca, asked = licensed(), requests.request_issuing("320000")
    chain = read_chain(issue(asked.request_pem, ca, leaf=False))
    with pytest.raises(CertificateRefused, match="another member's"):
        requests.take_issuing(chain, asked.key_pem, ME)


def test_a_chain_out_of_order_is_refused() -> None:
    """Each certificate is issued by the next, and every one above the first is a CA."""
    ca, asked = licensed(), requests.request_leaf(NODE)
    text = issue(asked.request_pem, ca, leaf=True)
    leaf, root = read_chain(text).pems
    for pems in ((root, leaf), (leaf, licensed()[0]), (leaf, leaf)):
        with pytest.raises(CertificateRefused, match="not issued by the next one"):
            Chain(pems=pems)
    for bad in ((leaf,), (root,) * 9):
        with pytest.raises(CertificateRefused, match="two to eight"):
            Chain(pems=bad)
    with pytest.raises(CertificateRefused, match="cannot be read"):
        read_chain(b"nothing")


def test_a_chain_that_has_ended_is_refused() -> None:
    """A certificate of the past is not taken."""
    text = issue(requests.request_leaf(NODE).request_pem, licensed(), leaf=True, days=3)
    chain = read_chain(text)
    chain.check_current(NOW)
    with pytest.raises(CertificateRefused, match="not valid at this time"):
        chain.check_current(NOW + timedelta(days=4))


def test_a_request_shows_no_key() -> None:
    """Neither the text of a request nor its repr holds the private key."""
    made = requests.request_issuing(ME)
    private = serialization.load_pem_private_key(made.key_pem, None)
    assert private is not None
    assert b"PRIVATE" not in made.request_pem
    assert "PRIVATE" not in repr(made)
    with pytest.raises(ValueError, match="six digits"):
        requests.request_issuing("31")
