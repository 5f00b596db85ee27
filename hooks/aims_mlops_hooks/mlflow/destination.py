"""How a server is told where artifacts are frozen. Imports nothing: every process that handles artifacts reads it."""

PREFIX = "aims:"
"""What stands before the artifact URI that is frozen."""

CONFIGURED = "_MLFLOW_SERVER_ARTIFACT_DESTINATION"
"""Where `mlflow server` tells its workers what --artifacts-destination is."""
