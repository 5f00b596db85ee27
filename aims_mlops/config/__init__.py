"""Reads aims.yaml into frozen values; tells all mistakes at once, with place and hint."""

from aims_mlops.config.administrators import administrators
from aims_mlops.config.bundle import load_bundle, pack
from aims_mlops.config.explaining import explain
from aims_mlops.config.grammar import CheckTypes
from aims_mlops.config.keys import public_key
from aims_mlops.config.loading import NAME, find, load
from aims_mlops.config.rereading import reread
from aims_mlops.config.schema import schema
from aims_mlops.config.showing import Setting, show
from aims_mlops.config.starting import starter, write_starter

__all__ = [
    "NAME",
    "CheckTypes",
    "Setting",
    "administrators",
    "explain",
    "find",
    "load",
    "load_bundle",
    "pack",
    "public_key",
    "reread",
    "schema",
    "show",
    "starter",
    "write_starter",
]
