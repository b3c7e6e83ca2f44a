"""What runs a gateway: one port for the websocket, the HTTP API and the page.

    command_line        options, and the end with an exit status
    server              uvicorn, started and ended in good order
    uvicorn_protocols   limits of time that uvicorn lacks
    application         the routes, and the headers of the page
    guard               what every HTTP request passes: keys, log, counters
    health              `/healthz`, `/readyz`, `/metrics`

The page itself is `static/`. An option: `shared/settings.py` and `command_line.py`.
"""

from .command_line import main

__all__ = ["main"]
