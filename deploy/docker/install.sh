#!/bin/sh
# Installs what one image needs: install.sh TARGET [SERVICE]. Run in the folder with pyproject.toml.
#
# Makes TARGET/venv with the packages of all services, and those of SERVICE, in the versions that were tested; the list
# of them as a CycloneDX document; and the program `service`, the command line of SERVICE. Needs uv and cyclonedx-py.
set -eu
target=$1
service=${2:-}

uv venv --quiet --python "$(command -v python)" "$target/venv"
uv pip install --quiet --python "$target/venv/bin/python" --compile-bytecode \
  --requirements pyproject.toml ${service:+--extra "$service"} --constraints requirements.lock
cyclonedx-py environment --output-reproducible --of JSON --output-file "$target/sbom.cdx.json" \
  --pyproject pyproject.toml "$target/venv/bin/python"

if [ -n "$service" ]; then
  cat > "$target/venv/bin/service" <<PROGRAM
#!$target/venv/bin/python
"""The command line of $service."""
import runpy

runpy.run_module("services.$service", run_name="__main__", alter_sys=True)
PROGRAM
  chmod 755 "$target/venv/bin/service"
fi
