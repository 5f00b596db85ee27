"""The gate inside an MLflow server: what it decides with, who calls, and what it serves besides."""
