"""Requests to a licensed CA, and the chains that come back (duty U31): pure, in PEM.

A licensed CA may issue the node's leaf or the member's issuing CA. The bundle pins what issued the leaf, never the
leaf, so that the next one needs no signature of the quorum.
"""

from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from keys import certificates, tls
from keys.certificates import refuse
from keys.tls import Issuer, Leaf, PeerName

_CHAIN_LIMIT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A certificate signing request (RFC 2986) and the unencrypted PKCS#8 key that it is for, both PEM."""

    request_pem: bytes
    key_pem: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Certificates in PEM, each issued by the next; the last is the anchor.

    Raises CertificateRefused when there are fewer than two or more than eight, one is unfit, or one is not issued by
    the next.
    """

    pems: tuple[bytes, ...]

    def __post_init__(self) -> None:
        """Check the order and the signatures."""
        if not 1 < len(self.pems) <= _CHAIN_LIMIT:
            refuse("a chain has two to eight certificates", "have the CA send the leaf, what issued it, up to its root")
        read = [certificates.read(pem) for pem in self.pems]
        for below, above in pairwise(read):
            if not certificates.is_ca(above) or not certificates.issued(below, above):
                refuse("a certificate of the chain is not issued by the next one", "put them in order, leaf first")

    def check_current(self, now: datetime) -> None:
        """Return when every certificate is in its validity.

        Raises CertificateRefused otherwise.
        """
        if not all(certificates.covers(certificates.read(pem), now) for pem in self.pems):
            refuse("a certificate of the chain is not valid at this time", "have the CA issue a current one")


def read_chain(text: bytes) -> Chain:
    """Return the chain in a PEM text.

    Raises CertificateRefused as `Chain` does, and when the text cannot be read.
    """
    try:
        found = x509.load_pem_x509_certificates(text)
    except ValueError:
        refuse("the chain cannot be read", "present it in PEM, leaf first")
    return Chain(pems=tuple(each.public_bytes(serialization.Encoding.PEM) for each in found))


def request_leaf(peer: PeerName) -> Request:
    """Return a request for a node's leaf under its name, and the fresh key."""
    names = x509.SubjectAlternativeName(tls.general_names(peer, serves=True))
    return _request(certificates.common_name(f"yrdx {peer.member} {peer.role}"), names)


def request_issuing(member: str) -> Request:
    """Return a request for the member's issuing CA, and the fresh key.

    Raises ValueError when the id is not six digits.
    """
    return _request(tls.ca_name(member, "issuing CA"), x509.BasicConstraints(ca=True, path_length=0))


def take_leaf(chain: Chain, key_pem: bytes, peer: PeerName) -> Leaf:
    """Return the leaf of a chain with its key.

    Raises CertificateRefused when the key is not the leaf's, or the leaf names another peer or no server.
    """
    leaf = Leaf(certificate_pem=b"".join(chain.pems), key_pem=key_pem)
    names = certificates.extension(certificates.read(chain.pems[0]), x509.SubjectAlternativeName)
    served = [] if names is None else names.get_values_for_type(x509.DNSName)
    if tls.spiffe_of(leaf.certificate_pem) != peer or tls.server_name(peer.member) not in served:
        refuse("the leaf does not bear the names that were asked for", "have the CA keep the request's names")
    return leaf


def take_issuing(chain: Chain, key_pem: bytes, member: str) -> Issuer:
    """Return the member's issuing CA of a chain with its key.

    Raises CertificateRefused when the key is not the certificate's, or it is another member's or no CA's.
    """
    issuer = Issuer(certificate_pem=chain.pems[0], key_pem=key_pem)
    if issuer.member != member:
        refuse("the certificate is another member's", "have the CA keep the request's subject")
    return issuer


def _request(subject: x509.Name, extension: x509.ExtensionType) -> Request:
    key = certificates.new_key()
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject).add_extension(extension, critical=False)
    signed = builder.sign(key, hashes.SHA256())
    pem = signed.public_bytes(serialization.Encoding.PEM)
    return Request(request_pem=pem, key_pem=certificates.key_pem(key))
