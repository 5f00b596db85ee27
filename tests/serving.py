"""The evidence routes over a world of fakes and a real store, in a real HTTP server of this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aims_mlops.api import Intake
from tests.api.world import World
from tests.builders import key

if TYPE_CHECKING:
    from flask import Flask

HEALTH = {
    "version": "0.1.0",
    "mlflow": "3.17.2",
    "mode": "server",
    "guarded": True,
    "configuration": None,
    "authentication": None,
    "freeze": False,
    "problem": None,
}


def intake(world: World) -> Intake:
    """Return where this world takes evidence in."""
    administrators = (key("administrator").public,)
    return Intake(world.store, lambda: world.services, lambda: world.now, administrators=administrators)


def application(world: World, *, prefix: str = "") -> Flask:
    """Return a Flask application with nothing but the routes."""
    from flask import Flask

    from aims_mlops_hooks.mlflow.server.evidence_api import blueprint

    app = Flask(__name__, root_path=str(world.folder))
    app.register_blueprint(blueprint(lambda: intake(world), lambda: HEALTH, prefix=prefix))
    return app


@contextmanager
def listening(app: Any) -> Iterator[str]:
    """Serve a WSGI application from a thread of its own; yield its address."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002  # werkzeug's name
            pass

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
