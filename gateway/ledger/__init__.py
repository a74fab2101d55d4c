"""The ledger of exchanges: pure tree code; the ledger itself is not built yet."""
