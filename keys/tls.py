"""Who a TLS peer is: a CA a member, an issuing CA under it, and leaves that name a peer by a SPIFFE URI.

ECDSA P-256 only, since gRPC refuses Ed25519 certificates. `name_peer` decides who a peer is; what that peer
may do is decided elsewhere.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from keys import certificates
from keys.certificates import refuse
from keys.directory import Directory
from keys.errors import MemberUnknown

_URI = re.compile(r"spiffe://yrdx/([0-9]{6})/(node|agency)/([A-Za-z0-9][A-Za-z0-9._-]{0,63})")
_CA_NAME = re.compile(r"yrdx ([0-9]{6}) (?:issuing )?CA")
_HANDLED = (x509.BasicConstraints, x509.KeyUsage, x509.ExtendedKeyUsage, x509.SubjectAlternativeName)
_YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerName:
    """Who the holder of a leaf is: `spiffe://yrdx/<member>/<role>/<name>`.

    Raises CertificateRefused for any other form.
    """

    member: str
    role: str
    name: str

    def __post_init__(self) -> None:
        """Check the form by way of the URI."""
        if _URI.fullmatch(self.uri) is None:
            refuse("a peer's name is not of the form spiffe://yrdx/310000/node/name", "ask for a leaf with one")

    @property
    def uri(self) -> str:
        """The name as a SPIFFE URI."""
        return f"spiffe://yrdx/{self.member}/{self.role}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A certificate chain (leaf, then its issuing certificate) and its unencrypted PKCS#8 key, both PEM.

    Raises CertificateRefused when the key is not the leaf's.
    """

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Check that the two belong together."""
        certificates.check_pair(certificates.read(self.certificate_pem), certificates.read_key(self.key_pem))

    @property
    def not_after(self) -> datetime:
        """The last moment of the leaf's life."""
        return self.life[1]

    @property
    def life(self) -> tuple[datetime, datetime]:
        """The first and the last moment of the leaf's life."""
        return life_of(self.certificate_pem)

    def issued_by(self, issuer_pem: bytes) -> bool:
        """Tell whether the issuer's key signed the leaf."""
        return certificates.issued(certificates.read(self.certificate_pem), certificates.read(issuer_pem))


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """A CA of one member: its own certificate and its unencrypted PKCS#8 key, both PEM.

    Raises CertificateRefused when the key is not the certificate's, or the certificate is not a member's CA.
    """

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Check that the two belong together and may issue."""
        certificate = certificates.read(self.certificate_pem)
        certificates.check_pair(certificate, certificates.read_key(self.key_pem))
        if not certificates.is_ca(certificate) or _ca_member(certificate) is None:
            refuse("the certificate is not a member's CA", "load the member's CA or issuing CA")

    @property
    def member(self) -> str:
        """The member that the certificate's common name names."""
        return str(_ca_member(certificates.read(self.certificate_pem)))

    def issue_intermediate(self, member: str, now: datetime, days: int = 365) -> "Issuer":
        """Return an issuing CA (path length 0) under this one.

        Raises CertificateRefused when this one may issue no CA or is not valid now, ValueError for a bad id.
        """
        under, key = certificates.read(self.certificate_pem), certificates.new_key()
        if under.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0:
            refuse("an issuing CA may not issue another CA", "use the member's own CA")
        subject = ca_name(member, "issuing CA")
        builder = certificates.draft(subject, life=timedelta(days=days), now=now, under=under, key=key)
        pem = self._signed(certificates.with_ca_profile(builder, path_length=0))
        return Issuer(certificate_pem=pem, key_pem=certificates.key_pem(key))

    def issue_leaf(
        self,
        *,
        member: str,
        role: Literal["node", "agency"],
        name: str,
        now: datetime,
        days: int = 7,
        server: bool | None = None,
    ) -> Leaf:
        """Return a leaf for a peer; a node's also serves unless told otherwise.

        The issuer does not ask whether `member` is its own: `name_peer` refuses a leaf where it is not.
        Raises CertificateRefused for a name of another form, a serving agency, or when this CA is not valid
        now.
        """
        peer = PeerName(member=member, role=role, name=name)
        serves = role == "node" if server is None else server
        if serves and role != "node":
            refuse("an agency's certificate may not serve", "issue it with server=False")
        under, key = certificates.read(self.certificate_pem), certificates.new_key()
        subject = certificates.common_name(f"yrdx {member} {role}")
        builder = certificates.draft(subject, life=timedelta(days=days), now=now, under=under, key=key)
        builder = certificates.with_leaf_profile(builder, general_names(peer, serves=serves), serves=serves)
        chain = self._signed(builder) + self.certificate_pem
        return Leaf(certificate_pem=chain, key_pem=certificates.key_pem(key))

    def _signed(self, builder: x509.CertificateBuilder) -> bytes:
        return certificates.signed(builder, certificates.read_key(self.key_pem))


def make_ca(member: str, *, now: datetime, years: int = 10) -> Issuer:
    """Return a new self-signed CA of the member.

    Raises ValueError when the id is not six digits or `now` is not in UTC.
    """
    key, subject = certificates.new_key(), ca_name(member, "CA")
    builder = certificates.draft(subject, life=years * _YEAR, now=now, under=None, key=key)
    pem = certificates.signed(certificates.with_ca_profile(builder, path_length=1), key)
    return Issuer(certificate_pem=pem, key_pem=certificates.key_pem(key))


def life_of(certificate_pem: bytes) -> tuple[datetime, datetime]:
    """Return the first and the last moment of the first certificate's life.

    Raises CertificateRefused when it cannot be read.
    """
    certificate = certificates.read(certificate_pem)
    return certificate.not_valid_before_utc, certificate.not_valid_after_utc


def server_name(member: str) -> str:
    """Return the DNS name in every serving leaf of the member: what a client must ask for."""
    return f"node.{member}.yrdx"


def spiffe_of(leaf_pem: bytes) -> PeerName:
    """Return the peer that the first certificate of the PEM text names; nothing is verified yet.

    Raises CertificateRefused unless it has exactly one URI and that has the project's form.
    """
    return _peer_name(certificates.read(leaf_pem))


def name_peer(leaf_pem: bytes, directory: Directory, now: datetime) -> PeerName:
    """Return the peer whom the first certificate of the PEM text proves.

    A valid leaf of one member's CA that names another member is refused: only certificates pinned for the
    named member count. Raises CertificateRefused.
    """
    # 1 the one name, of a member
    leaf = certificates.read(leaf_pem)
    peer = _peer_name(leaf)
    try:
        member = directory.member(peer.member)
    except MemberUnknown:
        refuse("the certificate names no member of the directory", "refresh the directory or the leaf")
    # 2 a current client leaf
    _check_leaf(leaf, now)
    # 3 directly under an issuing certificate pinned for that very member, itself under that member's CA
    roots = _current_cas(member.ca_certificates, now)
    issuers = _current_cas(member.issuing_certificates, now)
    anchored = [issuer for issuer in issuers if any(certificates.issued(issuer, root) for root in roots)]
    if not any(certificates.issued(leaf, issuer) for issuer in anchored):
        refuse(f"the certificate is not issued under the CA of {peer.member}", "present one of your own member")
    return peer


def _check_leaf(leaf: x509.Certificate, now: datetime) -> None:
    if not certificates.covers(leaf, now):
        refuse("the certificate is not valid at this time", "renew it")
    if any(each.critical and not isinstance(each.value, _HANDLED) for each in leaf.extensions):
        refuse("the certificate has a critical extension that is not understood", "issue one without it")
    extended = certificates.extension(leaf, x509.ExtendedKeyUsage)
    if extended is None or ExtendedKeyUsageOID.CLIENT_AUTH not in extended:
        refuse("the certificate is not for clients", "present one with the clientAuth usage")
    usage = certificates.extension(leaf, x509.KeyUsage)
    if certificates.is_ca(leaf) or usage is None or not usage.digital_signature:
        refuse("the certificate is a CA's or not for signatures", "present a leaf")


def _current_cas(pems: Iterable[bytes], now: datetime) -> list[x509.Certificate]:
    found = [certificates.read(pem) for pem in pems]
    return [each for each in found if certificates.is_ca(each) and certificates.covers(each, now)]


def _peer_name(leaf: x509.Certificate) -> PeerName:
    names = certificates.extension(leaf, x509.SubjectAlternativeName)
    uris = [] if names is None else names.get_values_for_type(x509.UniformResourceIdentifier)
    match = _URI.fullmatch(uris[0]) if len(uris) == 1 else None
    if match is None:
        refuse("the certificate does not hold exactly one URI of a yrdx peer", "issue one that does")
    return PeerName(member=match[1], role=match[2], name=match[3])


def general_names(peer: PeerName, *, serves: bool) -> list[x509.GeneralName]:
    """Return the alternative names of a peer's leaf: its URI, and where it serves the member's DNS name."""
    uri = x509.UniformResourceIdentifier(peer.uri)
    return [uri, x509.DNSName(server_name(peer.member))] if serves else [uri]


def ca_name(member: str, what: Literal["CA", "issuing CA"]) -> x509.Name:
    """Return the name of a member's CA or issuing CA.

    Raises ValueError when the id is not six digits.
    """
    name = f"yrdx {member} {what}"
    if _CA_NAME.fullmatch(name) is None:
        raise ValueError("a member's id has six digits; pass its GB/T 2260 code")
    return certificates.common_name(name)


def _ca_member(certificate: x509.Certificate) -> str | None:
    names = [str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    match = _CA_NAME.fullmatch(names[0]) if len(names) == 1 else None
    return match[1] if match else None
