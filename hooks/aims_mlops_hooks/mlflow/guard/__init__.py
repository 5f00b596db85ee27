"""The guard on MLflow's registry calls: which calls promote, who is asked, and how a refusal looks.

It knows the names and parameters of the methods of MLflow's abstract registry store, and no particular store: the same
guard sits before a store in a client and in a server. What it does on every route is in
docs/explanation/what-is-guarded.md, and a contract test holds that list against MLflow's.
"""

from aims_mlops_hooks.mlflow.guard.context import acting, denial, unguarded, version_number
from aims_mlops_hooks.mlflow.guard.judging import Call, Gatekeeper, Guard, Handler, around
from aims_mlops_hooks.mlflow.guard.tables import HANDLERS, SERVER_HANDLERS
from aims_mlops_hooks.mlflow.guard.transaction import join_transactions

__all__ = [
    "HANDLERS",
    "SERVER_HANDLERS",
    "Call",
    "Gatekeeper",
    "Guard",
    "Handler",
    "acting",
    "around",
    "denial",
    "join_transactions",
    "unguarded",
    "version_number",
]
