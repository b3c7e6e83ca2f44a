"""Clients that others publish, unmodified, against this project's servers.

    python -m lab.published_clients --funasr ~/FunASR    installs and runs them; docs/clients.md

cases       what is run, and what has to come
install     the packages, each in an environment of its own, at the versions that are named
drivers     the few lines that a user of each library would write
recording   a tap between a client and the gateway, whose exchanges the tests replay
table       the page in docs
"""
