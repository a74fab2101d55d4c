"""What this node proves itself with: the key that signs and the TLS leaf, both as files and directory stand now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from gateway.charter import Charter
from gateway.client import Identity
from gateway.exchange.sealing import Openers
from keys import custody
from keys.errors import KeysError
from keys.hardware import Token, TokenPlace
from keys.suite import Signer
from keys.tls import Leaf
from nodes.alarms import Alarms
from nodes.config import Config
from nodes.keyring import LEDGER, SIGN, WITNESS, Keyring
from nodes.leaves import Leaves
from nodes.sealing import SealingKeys


def open_token(config: Config) -> Token | None:
    """Log in to the token where the config names one.

    Raises:
        CustodyError: when it cannot be opened.
    """
    found = config.token
    if found is None:
        return None
    return Token(TokenPlace(module=found.module, label=found.label, pin=custody.read_passphrase(found.pin_file)))


def open_keyring(config: Config, use: str = SIGN) -> Keyring:
    """Open the member's keys of a use, in files and on the token.

    Raises:
        KeysError: when the passphrase's file or the token cannot be opened.
    """
    return _keyring(config, use, open_token(config))


def _keyring(config: Config, use: str, token: Token | None) -> Keyring:
    on_token = (lambda: token.signers(config.member, use)) if token else tuple
    passphrase = custody.read_passphrase(config.passphrase_file)
    return Keyring(config.member, config.signing_key.parent, passphrase, use=use, token=on_token)


class Credentials:
    """One process's keys, leaf and alarms; `poll` may run in a thread beside the others."""

    def __init__(self, config: Config, charter: Callable[[], Charter], clock: Callable[[], datetime]) -> None:
        """Open the member's keys and the node's leaf.

        Raises:
            KeysError: naming the file that is missing or wrong.
        """
        passphrase = custody.read_passphrase(config.passphrase_file)
        if config.signing_key.exists():  # a first key that does not open is a fault, not a gap
            custody.load_signer(config.signing_key, passphrase)
        self.storage = custody.load_secret(config.storage_key, passphrase)
        self._charter, self._clock = charter, clock
        token = open_token(config)
        self._signing, self._logging, self._cosigning = (
            _keyring(config, use, token) for use in (SIGN, LEDGER, WITNESS)
        )
        self._leaves = Leaves(config.leaf, passphrase)
        self._sealing = SealingKeys(config.signing_key.parent, passphrase)
        self._alarms = Alarms()
        self.ends: Mapping[str, tuple[float, int | None]] = {}

    @property
    def openers(self) -> Openers:
        """The sealing keys that are here, by id."""
        return self._sealing.current

    @property
    def leaf(self) -> Leaf:
        """The leaf in use."""
        return self._leaves.current

    def identity(self) -> Identity:
        """Give the leaf as a client presents it."""
        return Identity(certificate=self.leaf.certificate_pem, key=self.leaf.key_pem)

    def signer(self) -> Signer:
        """Give the key that signs now.

        Raises:
            KeyNotValid: when no key that is here may sign.
        """
        return self._signing.signer(self._charter().directory, self._clock())

    def log_signer(self) -> Signer:
        """Give the key that signs the ledger's checkpoints now.

        Raises:
            KeyNotValid: when no key that is here may sign them.
        """
        return self._logging.signer(self._charter().directory, self._clock())

    def witness_signer(self) -> Signer:
        """Give the key that cosigns others' checkpoints now.

        Raises:
            KeyNotValid: when no key that is here may cosign them.
        """
        return self._cosigning.signer(self._charter().directory, self._clock())

    def poll(self) -> None:
        """Notice new key files, renew the leaf when it is time, and see what ends soon."""
        charter, now = self._charter(), self._clock()
        self._signing.poll()
        self._logging.poll()
        self._cosigning.poll()
        self._sealing.poll()
        self._leaves.poll(charter, now)
        self.ends = self._alarms.poll(charter, self.leaf, now)

    def faults(self) -> tuple[str, ...]:
        """Name what keeps the node from proving itself now."""
        found = dict[str, None]()
        for signer in (self.signer, self.log_signer):
            try:
                signer()
            except KeysError as error:
                found[type(error).__name__] = None
        if self.leaf.not_after <= self._clock():
            found["CertificateExpired"] = None
        return tuple(found)
