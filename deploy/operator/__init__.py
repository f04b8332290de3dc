"""The operator's command line: ``crm``, or ``python -m deploy.operator``.

It asks running services over HTTP, and hands what needs a service's own settings to ``python -m services.<name>``.
"""
