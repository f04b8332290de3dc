"""What tests stand on: real servers started once per run, fresh databases, factories.

The modules ``postgres`` and ``kafka`` are pytest plugins; ``tests/conftest.py`` names them.
"""
