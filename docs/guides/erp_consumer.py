"""Orders for an ERP that nobody here knows. Run it: `python erp_consumer.py BOOTSTRAP DATABASE [TOPIC]`."""

import json
import signal
import sqlite3
import sys

from kafka import KafkaConsumer
from kafka.structs import OffsetAndMetadata

SUBMITTED, CANCELLED = "crm.sales.order.submitted.v1", "crm.sales.order.cancelled.v1"
TABLES = """
CREATE TABLE IF NOT EXISTS seen (source TEXT, id TEXT, PRIMARY KEY (source, id));
CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, version INTEGER, customer TEXT, cents INTEGER);
CREATE TABLE IF NOT EXISTS turnover (customer TEXT PRIMARY KEY, cents INTEGER);
CREATE TABLE IF NOT EXISTS failed (place TEXT PRIMARY KEY, headers TEXT, value BLOB, error TEXT);
"""
INSERT = "INSERT INTO {} ON CONFLICT DO NOTHING"


def apply(database, headers, value):
    if headers["ce_type"] not in (SUBMITTED, CANCELLED):
        return
    fact = headers["ce_source"], headers["ce_id"]
    is_new = database.execute(INSERT.format("seen VALUES (?, ?)"), fact).rowcount
    order_id, version = headers["ce_subject"], int(headers["ce_aggregateversion"])
    stored = database.execute("SELECT version, cents FROM orders WHERE id = ?", (order_id,)).fetchone()
    if not is_new or (stored and version <= stored[0]):
        return
    order = json.loads(value)
    customer, cents = order["account"]["name"], round(float(order["gross_total"]["amount"]) * 100)
    cents = 0 if headers["ce_type"] == CANCELLED else cents
    database.execute("REPLACE INTO orders VALUES (?, ?, ?, ?)", (order_id, version, customer, cents))
    database.execute(INSERT.format("turnover VALUES (?, 0)"), (customer,))
    change = cents - (stored[1] if stored else 0)
    database.execute("UPDATE turnover SET cents = cents + ? WHERE customer = ?", (change, customer))


bootstrap, path, topic = [*sys.argv[1:], "crm.sales.order"][:3]
running = [True]
signal.signal(signal.SIGTERM, lambda *_: running.clear())
database = sqlite3.connect(path)
database.executescript(TABLES)
group = {"group_id": "example.erp", "group_instance_id": "one", "session_timeout_ms": 10_000}
reading = {"enable_auto_commit": False, "auto_offset_reset": "earliest"}
consumer = KafkaConsumer(topic, bootstrap_servers=bootstrap, **group, **reading)
while running:
    for partition, records in consumer.poll(timeout_ms=500).items():
        for record in records if running else ():
            headers = {name: text.decode(errors="replace") for name, text in record.headers}
            try:
                with database:  # one transaction: what was seen, and what it changed
                    apply(database, headers, record.value)
            except (KeyError, TypeError, ValueError) as error:
                place = f"{partition.topic}:{partition.partition}:{record.offset}"
                with database:
                    failed = (place, str(headers), record.value, repr(error))
                    database.execute(INSERT.format("failed VALUES (?, ?, ?, ?)"), failed)
            consumer.commit({partition: OffsetAndMetadata(record.offset + 1, "", -1)})
consumer.close(timeout_ms=5_000)
