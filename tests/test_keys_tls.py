"""Certificates: what a member's CA issues, whom a leaf proves, and every leaf that proves nobody."""

import copy
import json
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from hands import directory_of

from keys import certificates, errors
from keys.directory import Directory
from keys.tls import Issuer, Leaf, PeerName, make_ca, name_peer, server_name, spiffe_of

BASE = json.loads((Path(__file__).parent / "vectors/directory/directory.json").read_text(encoding="utf-8"))
NOW = datetime(2026, 6, 1, 12, 0, 0, 5, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SHANGHAI, JIANGSU = "310000", "320000"


def directory(pins: dict[str, tuple[list[Issuer], list[Issuer]]]) -> Directory:
    """A directory in which these members pin these CAs and issuing CAs."""
    content = copy.deepcopy(BASE)
    for member in content["members"]:
        cas, issuing = pins.get(member["id"], ([], []))
        member["ca_certificates"] = [each.certificate_pem.decode() for each in cas]
        member["issuing_certificates"] = [each.certificate_pem.decode() for each in issuing]
    return directory_of(content)


class Federation:
    """Two members with their CAs, made once: P-256 keys are cheap, but not free."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now
        self.cas = {member: make_ca(member, now=now) for member in (SHANGHAI, JIANGSU)}
        self.issuers = {member: ca.issue_intermediate(member, now) for member, ca in self.cas.items()}
        self.directory = directory({m: ([self.cas[m]], [self.issuers[m]]) for m in self.cas})

    def leaf(self, member: str = SHANGHAI, **changes: Any) -> Leaf:
        """A node's leaf of the member, as its own issuing CA issues it."""
        words: dict[str, Any] = {"member": member, "role": "node", "name": "n1", "now": self.now}
        return self.issuers[member].issue_leaf(**words | changes)


@pytest.fixture(scope="module")
def federation() -> Federation:
    """The two members."""
    return Federation()


def certificate(pem: bytes) -> x509.Certificate:
    """The first certificate of the text."""
    return x509.load_pem_x509_certificate(pem)


def forged(issuer: Issuer, **changes: Any) -> bytes:
    """A leaf that the issuer signs though a careful CA would not: `changes` replace its parts."""
    peer = PeerName(member=SHANGHAI, role="node", name="n1")
    parts: dict[str, Any] = {
        "names": [x509.UniformResourceIdentifier(peer.uri)],
        "usages": [ExtendedKeyUsageOID.CLIENT_AUTH],
        "ca": False,
        "key": ec.generate_private_key(ec.SECP256R1()),
        "signature": True,
        "more": [],
    } | changes
    public = parts["key"].public_key()
    builder = x509.CertificateBuilder(
        subject_name=certificates.common_name("forged"),
        issuer_name=certificate(issuer.certificate_pem).subject,
        public_key=public,
        serial_number=1,
        not_valid_before=NOW,
        not_valid_after=NOW + timedelta(days=1),
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=parts["ca"], path_length=None), critical=True)
    usage = dict.fromkeys(
        ["content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign"],
        False,
    )
    builder = builder.add_extension(
        x509.KeyUsage(
            digital_signature=parts["signature"],
            key_cert_sign=parts["ca"],
            encipher_only=False,
            decipher_only=False,
            **usage,
        ),
        critical=True,
    )
    if parts["names"]:
        builder = builder.add_extension(x509.SubjectAlternativeName(parts["names"]), critical=False)
    if parts["usages"]:
        builder = builder.add_extension(x509.ExtendedKeyUsage(parts["usages"]), critical=False)
    for extension in parts["more"]:
        builder = builder.add_extension(extension, critical=True)
    signed = builder.sign(certificates.read_key(issuer.key_pem), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


def uri(text: str) -> x509.UniformResourceIdentifier:
    """A URI as an alternative name."""
    return x509.UniformResourceIdentifier(text)


def test_names_the_peer_of_a_real_chain(federation: Federation) -> None:
    """A node's and an agency's leaf under their member's pinned CA prove their holder."""
    node = name_peer(federation.leaf().certificate_pem, federation.directory, NOW)
    assert node == PeerName(member=SHANGHAI, role="node", name="n1")
    leaf = federation.leaf(role="agency", name="310118-licensing")
    agency = name_peer(leaf.certificate_pem, federation.directory, NOW)
    assert agency == PeerName(member=SHANGHAI, role="agency", name="310118-licensing")


def test_reads_a_leaf_without_its_chain(federation: Federation) -> None:
    """The leaf alone suffices, as gRPC shows it: issuing certificates come from the directory."""
    alone = certificate(federation.leaf().certificate_pem).public_bytes(serialization.Encoding.PEM)
    assert name_peer(alone, federation.directory, NOW).member == SHANGHAI


@pytest.mark.parametrize(("issuing", "named"), [(SHANGHAI, JIANGSU), (JIANGSU, SHANGHAI)])
def test_refuses_a_member_that_names_another(federation: Federation, issuing: str, named: str) -> None:
    """A valid leaf of one member's CA naming another member is refused, in both directions."""
    leaf = federation.issuers[issuing].issue_leaf(member=named, role="node", name="n1", now=NOW)
    assert spiffe_of(leaf.certificate_pem).member == named
    with pytest.raises(errors.CertificateRefused, match=f"under the CA of {named}"):
        name_peer(leaf.certificate_pem, federation.directory, NOW)


def test_refuses_an_issuing_ca_of_another_members_making(federation: Federation) -> None:
    """An issuing CA that carries a member's name but hangs under another CA proves nothing, though pinned."""
    false = federation.cas[JIANGSU].issue_intermediate(SHANGHAI, NOW)
    leaf = false.issue_leaf(member=SHANGHAI, role="node", name="n1", now=NOW)
    with pytest.raises(errors.CertificateRefused, match="under the CA"):
        name_peer(leaf.certificate_pem, federation.directory, NOW)
    pinned = directory({SHANGHAI: ([federation.cas[SHANGHAI]], [false])})
    with pytest.raises(errors.CertificateRefused, match="under the CA"):
        name_peer(leaf.certificate_pem, pinned, NOW)


def test_refuses_a_ca_of_the_same_name(federation: Federation) -> None:
    """A CA made by a stranger under the same names proves nothing: signatures count, not names."""
    stranger = make_ca(SHANGHAI, now=NOW).issue_intermediate(SHANGHAI, NOW)
    leaf = stranger.issue_leaf(member=SHANGHAI, role="node", name="n1", now=NOW)
    with pytest.raises(errors.CertificateRefused, match="under the CA"):
        name_peer(leaf.certificate_pem, federation.directory, NOW)


def test_refuses_an_issuing_ca_that_is_not_pinned(federation: Federation) -> None:
    """A second issuing CA under the right CA counts only once the directory pins it; the CA itself never."""
    second = federation.cas[SHANGHAI].issue_intermediate(SHANGHAI, NOW)
    for issuer in (second, federation.cas[SHANGHAI]):
        leaf = issuer.issue_leaf(member=SHANGHAI, role="node", name="n1", now=NOW)
        with pytest.raises(errors.CertificateRefused, match="under the CA"):
            name_peer(leaf.certificate_pem, federation.directory, NOW)
    pinned = directory({SHANGHAI: ([federation.cas[SHANGHAI]], [federation.issuers[SHANGHAI], second])})
    leaf = second.issue_leaf(member=SHANGHAI, role="node", name="n1", now=NOW)
    assert name_peer(leaf.certificate_pem, pinned, NOW).member == SHANGHAI


def test_refuses_members_that_the_directory_does_not_list(federation: Federation) -> None:
    """A leaf that names a stranger is refused."""
    leaf = federation.issuers[SHANGHAI].issue_leaf(member="340000", role="node", name="n1", now=NOW)
    with pytest.raises(errors.CertificateRefused, match="no member"):
        name_peer(leaf.certificate_pem, federation.directory, NOW)


def test_a_leaf_is_good_in_its_time(federation: Federation) -> None:
    """A leaf is good from five minutes before it was made to its last second."""
    leaf = federation.leaf(days=7)
    whole = NOW.replace(microsecond=0)
    for good in (whole - timedelta(minutes=5), NOW, whole + timedelta(days=7), leaf.not_after):
        assert name_peer(leaf.certificate_pem, federation.directory, good).name == "n1"
    for bad in (whole - timedelta(minutes=5) - SECOND, whole + timedelta(days=7) + SECOND):
        with pytest.raises(errors.CertificateRefused, match="not valid at this time"):
            name_peer(leaf.certificate_pem, federation.directory, bad)


def test_refuses_times_that_are_not_utc(federation: Federation) -> None:
    """A naive time is a caller's mistake, both when issuing and when naming."""
    naive = NOW.replace(tzinfo=None)
    with pytest.raises(ValueError, match="UTC"):
        name_peer(federation.leaf().certificate_pem, federation.directory, naive)
    with pytest.raises(ValueError, match="UTC"):
        make_ca(SHANGHAI, now=naive)


def test_nothing_outlives_its_issuer(federation: Federation) -> None:
    """A leaf ends with its issuing CA at the latest, and an expired CA issues nothing."""
    issuer = federation.issuers[SHANGHAI]
    end = certificate(issuer.certificate_pem).not_valid_after_utc
    leaf = issuer.issue_leaf(member=SHANGHAI, role="node", name="n1", now=end - timedelta(days=1))
    assert leaf.not_after == end
    with pytest.raises(errors.CertificateRefused, match="not valid at this time"):
        issuer.issue_leaf(member=SHANGHAI, role="node", name="n1", now=end + SECOND)


def test_refuses_a_leaf_whose_issuing_ca_is_over(federation: Federation) -> None:
    """A leaf that claims to outlive its pinned issuing CA is refused once that CA has ended."""
    over = federation.cas[SHANGHAI].issue_intermediate(SHANGHAI, NOW - SECOND, days=0)
    pinned = directory({SHANGHAI: ([federation.cas[SHANGHAI]], [over])})
    with pytest.raises(errors.CertificateRefused, match="under the CA"):
        name_peer(forged(over), pinned, NOW)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"names": []}, "exactly one URI"),
        ({"names": [x509.DNSName("node.310000.yrdx")]}, "exactly one URI"),
        (
            {"names": [uri("spiffe://yrdx/310000/node/a"), uri("spiffe://yrdx/310000/node/a")]},
            "exactly one URI",
        ),
        (
            {"names": [uri("spiffe://yrdx/310000/node/a"), uri("spiffe://yrdx/320000/node/a")]},
            "exactly one URI",
        ),
        ({"names": [uri("spiffe://yrdx/310000/node/a"), uri("urn:x")]}, "exactly one URI"),
        ({"usages": []}, "not for clients"),
        ({"usages": [ExtendedKeyUsageOID.SERVER_AUTH]}, "not for clients"),
        ({"usages": [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]}, "not for clients"),
        ({"ca": True}, "a CA's"),
        ({"signature": False}, "not for signatures"),
        ({"key": ec.generate_private_key(ec.SECP384R1())}, "not P-256"),
        ({"key": ed25519.Ed25519PrivateKey.generate()}, "not P-256"),
        ({"more": [x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00")]}, "not understood"),
    ],
    ids=[
        "no names",
        "no URI",
        "one URI twice",
        "two members",
        "another URI beside it",
        "no usage",
        "server only",
        "any usage",
        "a CA",
        "no signatures",
        "P-384",
        "Ed25519",
        "an unknown critical extension",
    ],
)
def test_refuses_leaves_of_another_shape(
    federation: Federation,
    changes: dict[str, Any],
    problem: str,
) -> None:
    """A leaf that the pinned issuing CA did sign is refused all the same when its shape is wrong."""
    good = forged(federation.issuers[SHANGHAI])
    assert name_peer(good, federation.directory, NOW).name == "n1"
    with pytest.raises(errors.CertificateRefused, match=problem):
        name_peer(forged(federation.issuers[SHANGHAI], **changes), federation.directory, NOW)


@pytest.mark.parametrize(
    "text",
    [
        "spiffe://yrdx/310000/node",
        "spiffe://yrdx/310000/node/",
        "spiffe://yrdx/310000/node/a/b",
        "spiffe://yrdx/310000/node/..",
        "spiffe://yrdx/310000/node/a%2fb",
        "spiffe://yrdx/310000/node/a?b",
        "spiffe://yrdx/310000/node/a#b",
        "spiffe://yrdx/310000/hub/a",
        "spiffe://yrdx/31000/node/a",
        "spiffe://yrdx//310000/node/a",
        "spiffe://YRDX/310000/node/a",
        "spiffe://yrdx:443/310000/node/a",
        "spiffe://yrdx.example/310000/node/a",
        "SPIFFE://yrdx/310000/node/a",
        "https://yrdx/310000/node/a",
        " spiffe://yrdx/310000/node/a",
        "spiffe://yrdx/310000/node/a\n",
        "spiffe://yrdx/310000/node/" + "a" * 65,
    ],
)
def test_reads_one_spelling_of_a_name_only(federation: Federation, text: str) -> None:
    """A URI in any other spelling names nobody."""
    with pytest.raises(errors.CertificateRefused, match="exactly one URI"):
        spiffe_of(forged(federation.issuers[SHANGHAI], names=[uri(text)]))


@pytest.mark.parametrize("pem", [b"", b"x", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_refuses_what_is_no_certificate(pem: bytes) -> None:
    """Bytes that are no certificate are refused by the one family of errors."""
    with pytest.raises(errors.CertificateRefused, match="cannot be read"):
        spiffe_of(pem)


def test_refuses_certificates_of_endless_length(federation: Federation) -> None:
    """A certificate beyond 64 KiB is not read."""
    many = [uri(f"spiffe://yrdx/310000/node/{number}") for number in range(3000)]
    with pytest.raises(errors.CertificateRefused, match="cannot be read"):
        spiffe_of(forged(federation.issuers[SHANGHAI], names=many))


def test_refuses_members_without_pins(federation: Federation) -> None:
    """A member whose CA the directory does not pin has no peers."""
    with pytest.raises(errors.CertificateRefused, match="under the CA"):
        name_peer(federation.leaf().certificate_pem, directory({}), NOW)


@pytest.mark.parametrize(
    ("member", "role", "name"),
    [("31000", "node", "a"), (SHANGHAI, "hub", "a"), (SHANGHAI, "node", ""), (SHANGHAI, "node", "a/b")],
)
def test_issues_no_leaf_for_a_name_of_another_form(
    federation: Federation,
    member: str,
    role: Any,
    name: str,
) -> None:
    """A name that could not be read back is not issued."""
    with pytest.raises(errors.CertificateRefused, match="not of the form"):
        federation.issuers[SHANGHAI].issue_leaf(member=member, role=role, name=name, now=NOW)


def test_a_node_serves_and_an_agency_does_not(federation: Federation) -> None:
    """A node's leaf has its member's DNS name and both usages; an agency's is for clients alone."""
    node = certificate(federation.leaf().certificate_pem)
    client = certificate(federation.leaf(server=False).certificate_pem)
    agency = certificate(federation.leaf(role="agency").certificate_pem)
    both = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    assert (both, [server_name(SHANGHAI)]) == served(node)
    assert ({ExtendedKeyUsageOID.CLIENT_AUTH}, []) == served(client)
    assert ({ExtendedKeyUsageOID.CLIENT_AUTH}, []) == served(agency)
    with pytest.raises(errors.CertificateRefused, match="may not serve"):
        federation.leaf(role="agency", server=True)


def served(leaf: x509.Certificate) -> tuple[set[ObjectIdentifier], list[str]]:
    """The usages and DNS names of a leaf."""
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(usage), names.get_values_for_type(x509.DNSName)


def test_an_issuing_ca_issues_no_ca(federation: Federation) -> None:
    """The path ends at the issuing CA."""
    with pytest.raises(errors.CertificateRefused, match="may not issue another CA"):
        federation.issuers[SHANGHAI].issue_intermediate(SHANGHAI, NOW)


def test_cas_name_their_member(federation: Federation) -> None:
    """A CA's common name carries the member, its constraints are critical and its path is bounded."""
    for issuer, length in ((federation.cas[SHANGHAI], 1), (federation.issuers[SHANGHAI], 0)):
        basic = certificate(issuer.certificate_pem).extensions.get_extension_for_class(x509.BasicConstraints)
        assert issuer.member == SHANGHAI
        assert (basic.critical, basic.value.ca, basic.value.path_length) == (True, True, length)
    with pytest.raises(ValueError, match="six digits"):
        make_ca("shanghai", now=NOW)


def test_key_and_certificate_belong_together(federation: Federation) -> None:
    """A leaf or issuer is not made of another's key, of an encrypted or foreign key, or of a leaf."""
    leaf, other = federation.leaf(), federation.leaf()
    with pytest.raises(errors.CertificateRefused, match="not the certificate's"):
        Leaf(certificate_pem=leaf.certificate_pem, key_pem=other.key_pem)
    with pytest.raises(errors.CertificateRefused, match="not a member's CA"):
        Issuer(certificate_pem=leaf.certificate_pem, key_pem=leaf.key_pem)
    strange = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    for key in (b"", strange, certificates.encrypt_key(leaf.key_pem, b"x")):
        with pytest.raises(errors.CertificateRefused, match="no unencrypted P-256 key"):
            Leaf(certificate_pem=leaf.certificate_pem, key_pem=key)


def test_a_foreign_key_does_not_decrypt() -> None:
    """An encrypted key of another algorithm, or a bare one, is refused as damaged."""
    key = ed25519.Ed25519PrivateKey.generate()
    for encryption in (serialization.BestAvailableEncryption(b"x"), serialization.NoEncryption()):
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        with pytest.raises(ValueError, match="elliptic"):
            certificates.decrypt_key(pem, b"x")


def test_private_keys_show_nowhere(federation: Federation) -> None:
    """The representation of a leaf or issuer holds no key."""
    for holder in (federation.leaf(), federation.cas[SHANGHAI]):
        assert "PRIVATE" not in repr(holder)


def context(purpose: int, leaf: Leaf, trusted: bytes, folder: Path) -> ssl.SSLContext:
    """A TLS 1.3 context that shows this leaf and trusts this CA alone."""
    pair = folder / f"pair{purpose}"
    pair.write_bytes(leaf.certificate_pem + leaf.key_pem)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if purpose else ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.verify_mode = ssl.CERT_REQUIRED
    made.verify_flags |= ssl.VERIFY_X509_STRICT
    made.load_cert_chain(pair)
    made.load_verify_locations(cadata=trusted.decode())
    return made


def shake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> bytes:
    """Shake hands in memory and return the client's certificate as the server saw it."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(down, up, server_hostname=name)
    far = server.wrap_bio(up, down, server_side=True)
    waiting = [near, far]
    for _ in range(10):
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                continue
    assert (waiting, far.version()) == ([], "TLSv1.3")
    return ssl.DER_cert_to_PEM_cert(far.getpeercert(binary_form=True) or b"").encode()


def test_real_tls_accepts_the_chain(tmp_path: Path) -> None:
    """Two members shake hands over TLS 1.3, each trusting the other's CA alone, and the peer is named."""
    now = datetime.now(UTC)
    both = Federation(now)
    client = context(0, both.leaf(SHANGHAI), both.cas[JIANGSU].certificate_pem, tmp_path)
    server = context(1, both.leaf(JIANGSU), both.cas[SHANGHAI].certificate_pem, tmp_path)
    seen = shake(client, server, server_name(JIANGSU))
    assert name_peer(seen, both.directory, now) == PeerName(member=SHANGHAI, role="node", name="n1")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(client, server, server_name(SHANGHAI))
