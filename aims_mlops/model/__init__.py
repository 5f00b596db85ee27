"""Frozen values: what the product speaks about. Standard library only; an object that exists is valid."""
