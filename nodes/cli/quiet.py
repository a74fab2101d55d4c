"""Keeps gRPC's own notices off an officer's terminal; it reads this once, so this is imported before it."""

import os

os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
