"""Signed evidence: bytes in, bytes out. Statements, envelopes, manifests, and the chain of leaves."""
