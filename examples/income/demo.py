"""The main job from end to end, in a folder of its own: python demo.py [FOLDER].

A real MLflow server on SQLite, keys made for the occasion, an unfair model that is denied and a fair one that is
promoted. Everything is done with commands that a person would type; they are printed as they run.
"""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent


def main(folder):
    started = time.monotonic()
    prepare(folder)
    # A passphrase for keys that live as long as this folder; yours comes from a prompt or the keyring.
    settings = {
        "AIMS_KEY_PASSPHRASE": secrets.token_hex(16),
        "DO_NOT_TRACK": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    say("An income model, its owner and its policy are described in aims.yaml. First, keys for the three people in it:")
    for person in ("income-owner", "risk-officer", "pipeline"):
        run(folder, settings, "aims", "keys", "new", person)
    with server(folder) as address:
        settings["MLFLOW_TRACKING_URI"] = address
        say(f"An MLflow server runs at {address}. An ordinary training script registers a model there:")
        run(folder, settings, "python", "train.py", "unfair")
        say("It is registered. May it go live?")
        refused = run(folder, settings, "aims", "promote", "income/1", "--to", "champion", expect=1)
        say("Denied, because of one requirement. A model trained with that in mind:")
        run(folder, settings, "python", "train.py", "fair")
        run(folder, settings, "aims", "promote", "income/2", "--to", "champion", "--reason", "first release")
        say("Promoted. What was recorded, the refusal too, and does it hold?")
        run(folder, settings, "aims", "evidence", "list")
        run(folder, settings, "aims", "evidence", "verify", "income/2")
        run(folder, settings, "aims", "evidence", "export", "income/2", "-o", "evidence-income-2", quiet=True)
    seconds = time.monotonic() - started
    say(f"Done in {seconds:.0f} seconds; the refusal exited with {refused}.")
    print(
        f"""Where to look, in {folder}:
  aims.yaml                     the policy: change a limit, and the evidence is stale
  evidence-income-2/            envelopes, manifest and keys, to check with openssl (README, "Verify without us")
  mlartifacts/**/aims/income/   the reports that hang on the model versions: open the .html files
  mlflow.db, aims.db            the registry, and the evidence store with its head beside it

The server again:
  cd {folder}
  {BIN / "mlflow"} server --backend-store-uri sqlite:///mlflow.db --artifacts-destination ./mlartifacts
"""
    )


def prepare(folder):
    marker = folder / ".aims-demo"
    if folder.exists() and any(folder.iterdir()) and not marker.exists():
        sys.exit(f"demo: {folder} is there already, and this demo did not make it; name another folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    marker.touch()
    for name in ("aims.yaml", "train.py"):
        shutil.copy(HERE / name, folder / name)
    shutil.copytree(HERE / "quality", folder / "quality")
    subprocess.run([sys.executable, HERE / "prepare.py", HERE / "adult.parquet", folder / "data"], check=True)


def say(text):
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def run(folder, settings, command, *arguments, expect=0, quiet=False):
    print(f"$ {command} {' '.join(arguments)}", flush=True)
    out = subprocess.DEVNULL if quiet else None
    code = subprocess.call([BIN / command, *arguments], cwd=folder, env={**os.environ, **settings}, stdout=out)
    if code != expect:
        sys.exit(f"demo: that exited with {code}, expected {expect}; see {folder / 'server.log'}")
    return code


@contextmanager
def server(folder):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [BIN / "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", "sqlite:///mlflow.db", "--artifacts-destination", "./mlartifacts"]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            wait_for(f"{address}/health", process, folder)
            yield address
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_for(address, process, folder):
    for _ in range(240):
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    sys.exit(f"demo: the MLflow server did not start; see {folder / 'server.log'}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo-run").resolve())
