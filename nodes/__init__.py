"""One member running: the only place that knows every part."""

import os

# gRPC offers no floor for TLS, and reads this when it is imported. It leaves one suite of TLS 1.2, for RSA
# certificates; ours are ECDSA, so that only TLS 1.3 is left (threat 18).
os.environ["GRPC_SSL_CIPHER_SUITES"] = "ECDHE-RSA-AES256-GCM-SHA384"
