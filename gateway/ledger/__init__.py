"""The ledger's core: tree, notes, proofs and what follows from them. Pure; who keeps entries and tiles is a node."""
