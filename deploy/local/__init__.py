"""The embedded deployment: PostgreSQL from a wheel and every service, with one command.

``LocalSuite`` (``deploy.local.suite``) is the one object that knows every path and port of a suite;
``python -m deploy.local`` is its command line.
"""
