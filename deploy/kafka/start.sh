#!/bin/bash
# Starts the broker in its container, making its storage and its administrator the first time.
set -euo pipefail
secrets=/run/crm

/opt/kafka/bin/kafka-storage.sh format --ignore-formatted \
  --cluster-id "$(< "$secrets/cluster_id")" --config "$secrets/server.properties" \
  --add-scram "SCRAM-SHA-512=[name=admin,password=$(< "$secrets/admin_password")]"
exec /opt/kafka/bin/kafka-server-start.sh "$secrets/server.properties"
