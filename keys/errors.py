"""What keys can refuse, one class a remedy.

A text says what happened and what to do next; it never holds key material, a passphrase or a payload.
This module imports nothing of ours.
"""


class KeysError(Exception):
    """The base of everything that `keys` refuses."""


class EnvelopeMalformed(KeysError):
    """The envelope breaks a shape or size rule before any signature was looked at."""


class WrongPayloadType(KeysError):
    """The envelope carries another kind of message than the caller expects."""


class SignatureInvalid(KeysError):
    """A signature does not verify, or too few signed."""


class SealBroken(KeysError):
    """A sealed text does not open under the key and the context."""


class KeyUnknown(KeysError):
    """No such key is listed for its owner."""


class KeyNotValid(KeysError):
    """The key is listed, but not for this use, this suite or this time."""


class WeakKey(KeysError):
    """The key is of the wrong size, of low order, non-canonical, or a copy of another."""


class SuiteUnknown(KeysError):
    """No suite of this name is built in."""


class MemberUnknown(KeysError):
    """No member of this id is in the directory."""


class BundleMalformed(KeysError):
    """The bundle breaks a rule of its form; the text names the file and the place."""


class BundleMixed(KeysError):
    """The bundle's parts are not of one snapshot."""


class BundleExpired(KeysError):
    """The bundle is older than it says it may be used for new exchanges."""


class BundleRollback(KeysError):
    """The bundle is older than one already accepted."""


class RootBroken(KeysError):
    """No unbroken chain of roots leads from the trusted one to the bundle's."""


class AgreementUnsigned(KeysError):
    """An agreement lacks two officers of one of its parties, or bears the hand of a stranger."""


class CertificateRefused(KeysError):
    """A certificate does not prove the peer that it names."""


class BodyUnreadable(KeysError):
    """A stored body or a wrapped key was altered, or belongs to another key."""


class CustodyError(KeysError):
    """A key file cannot be written or read."""


class PassphraseWrong(CustodyError):
    """The passphrase does not open the key file, or the file was altered."""


class KeyFileTooOpen(CustodyError):
    """Somebody other than the owner may read or write the key file."""
