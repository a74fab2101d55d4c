"""The X.509 under `tls`: P-256 keys and certificates in and out of PEM, profiles, and direct issue.

It knows the shape of certificates (RFC 5280) and nothing of the directory. Its types are cryptography's, for
`tls` and `custody` only.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NoReturn, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from keys.errors import CertificateRefused
from keys.moments import require_utc

# Peers' clocks differ a little: a fresh leaf must be good at once.
BACKDATE = timedelta(minutes=5)

_PEM_SIZE_LIMIT = 64 * 1024
_CLIENT = (ExtendedKeyUsageOID.CLIENT_AUTH,)
_SERVER_AND_CLIENT = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)

_T = TypeVar("_T", bound=x509.ExtensionType)


def refuse(problem: str, remedy: str) -> NoReturn:
    """Raise CertificateRefused with both halves of its text."""
    raise CertificateRefused(f"{problem}; {remedy}")


def new_key() -> ec.EllipticCurvePrivateKey:
    """Return a fresh P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the key as unencrypted PKCS#8, for memory only."""
    none = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, none)


def read_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """Return the P-256 key of an unencrypted PKCS#8 text.

    Raises CertificateRefused for anything else.
    """
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        refuse("the private key is no unencrypted P-256 key", "load the one made with the certificate")
    return key


def encrypt_key(pem: bytes, passphrase: bytes) -> bytes:
    """Return the key as PKCS#8 encrypted under the passphrase (PBES2).

    Raises CertificateRefused when it is no P-256 key.
    """
    best = serialization.BestAvailableEncryption(passphrase)
    return read_key(pem).private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, best)


def decrypt_key(pem: bytes, passphrase: bytes) -> bytes:
    """Return the unencrypted PKCS#8 text of an encrypted one.

    Raises ValueError, with a text of OpenSSL's, when the passphrase is wrong or the text is damaged.
    """
    try:
        key = serialization.load_pem_private_key(pem, password=passphrase)
    except (TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not a key on an elliptic curve")  # noqa: TRY004 - the content is wrong, not an argument's type
    return key_pem(key)


def read(pem: bytes) -> x509.Certificate:
    """Return the first certificate of the text, fully parsed.

    Raises CertificateRefused when there is none, or it is damaged, oversized or not of a P-256 key.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem[:_PEM_SIZE_LIMIT])
        # Extensions are parsed on first use, with errors of many kinds: do it once, here.
        _ = certificate.extensions
        key = certificate.public_key()
    except (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ):
        refuse("the certificate cannot be read", "present one in PEM as its CA issued it")
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        refuse("the certificate's key is not P-256", "have one issued for a P-256 key")
    return certificate


def check_pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    """Return when the private key is the certificate's.

    Raises CertificateRefused otherwise.
    """
    if certificate.public_key() != key.public_key():
        refuse("the private key is not the certificate's", "load the two that were made together")


def extension(certificate: x509.Certificate, kind: type[_T]) -> _T | None:
    """Return the certificate's extension of this kind, or nothing."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def covers(certificate: x509.Certificate, now: datetime) -> bool:
    """Tell whether the certificate is in its validity, ends included (RFC 5280, section 4.1.2.5)."""
    return certificate.not_valid_before_utc <= require_utc(now) <= certificate.not_valid_after_utc


def is_ca(certificate: x509.Certificate) -> bool:
    """Tell whether the certificate may issue others: by basic constraints and by key usage."""
    basic, usage = extension(certificate, x509.BasicConstraints), extension(certificate, x509.KeyUsage)
    return basic is not None and basic.ca and usage is not None and usage.key_cert_sign


def issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Tell whether the issuer is named by the certificate and its key signed it."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def common_name(subject: str) -> x509.Name:
    """Return a distinguished name of this common name alone."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])


def draft(
    subject: x509.Name,
    *,
    life: timedelta,
    now: datetime,
    under: x509.Certificate | None,
    key: ec.EllipticCurvePrivateKey,
) -> x509.CertificateBuilder:
    """Return a certificate to be completed, under an issuer or self-signed, ending no later than its issuer.

    Raises CertificateRefused when the issuer is not valid now.
    """
    first, last = require_utc(now).replace(microsecond=0) - BACKDATE, now.replace(microsecond=0) + life
    if under is not None:
        if not covers(under, now):
            refuse("the issuing certificate is not valid at this time", "issue a new one first")
        first, last = max(first, under.not_valid_before_utc), min(last, under.not_valid_after_utc)
    public = key.public_key()
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=under.subject if under else subject)
    builder = builder.public_key(public).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(first).not_valid_after(last)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)


def with_ca_profile(builder: x509.CertificateBuilder, *, path_length: int) -> x509.CertificateBuilder:
    """Return the draft as a CA's."""
    basic = x509.BasicConstraints(ca=True, path_length=path_length)
    return builder.add_extension(basic, critical=True).add_extension(_key_usage(ca=True), critical=True)


def with_leaf_profile(
    builder: x509.CertificateBuilder,
    names: Iterable[x509.GeneralName],
    *,
    serves: bool,
) -> x509.CertificateBuilder:
    """Return the draft as a leaf's under these names, for clients and, where it serves, for servers."""
    basic = x509.BasicConstraints(ca=False, path_length=None)
    extended = x509.ExtendedKeyUsage(_SERVER_AND_CLIENT if serves else _CLIENT)
    builder = builder.add_extension(basic, critical=True).add_extension(_key_usage(ca=False), critical=True)
    builder = builder.add_extension(extended, critical=False)
    return builder.add_extension(x509.SubjectAlternativeName(names), critical=False)


def signed(builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the draft signed by the issuer's key, as PEM."""
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    certificate = builder.add_extension(issuer_id, critical=False).sign(key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
