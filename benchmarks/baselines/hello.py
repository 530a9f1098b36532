"""Flask's hello world on the very server and settings of Hookline's receiver: what the server alone can do.

It answers the same signed webhooks at the same address, without reading their bodies. Deliberately does nothing else.
"""

import sys

from flask import Flask

from cli.processes import _serve as serve
from ingest.webhooks import BASE_PATH
from runtime.settings import load_settings


def create_app() -> Flask:
    """Build the app."""
    app = Flask("hello")

    @app.get("/healthz")
    @app.post(f"{BASE_PATH}/meta")
    def hello() -> str:
        return "Hello, World!"

    return app


def main(bind: str) -> None:
    """Serve the app as `hookline ingest` serves the receiver."""
    found = load_settings()
    app = "benchmarks.baselines.hello:create_app"
    serve(app, bind=bind, workers=found.ingest_workers, threads=found.ingest_threads)


if __name__ == "__main__":
    main(sys.argv[1])
