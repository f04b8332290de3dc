"""The embedded deployment: PostgreSQL from a wheel, every service and its bus process, one command, nothing to install.

``LocalSuite`` (``deploy.local.suite``) is the one object that knows every path and port of a suite;
``python -m deploy.local`` is its command line.
"""
