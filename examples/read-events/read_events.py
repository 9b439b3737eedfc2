"""Prints the events of one service, a JSON line each, in the order of each actor and every event once.

    pip install -r requirements.txt
    python read_events.py localhost:9092 orders

It needs nothing of the shop: what the events hold is in /asyncapi.json. Options of the client follow as name=value, such as
security.protocol=SASL_SSL. It reads from the start of the topic, remembers in Kafka how far it is (group.id), and goes on there
when it is started again. With events.max=10 it ends after ten events.
"""

import json
import sys

from confluent_kafka import Consumer, KafkaException


def attributes_of(message):
    """The attributes of a CloudEvent in binary mode are headers; those of other programs are passed over."""
    headers = message.headers() or []
    return {name[3:]: value.decode() for name, value in headers if name.startswith("ce_")}


def event_of(message):
    """The event of a message; None for one that is no CloudEvent, or that has no data."""
    attributes = attributes_of(message)
    if attributes.get("specversion") != "1.0" or message.value() is None:
        return None
    fields = ("id", "source", "type", "subject", "time")
    return {name: attributes[name] for name in fields} | {"data": json.loads(message.value())}


class Seen:
    """Tells an event that comes again: the version of an actor's events, which ends their id, only ever grows."""

    def __init__(self):
        self.versions = {}

    def is_new(self, event):
        version = int(event["id"].rpartition("@")[2])
        if version <= self.versions.get(event["subject"], 0):
            return False
        # A program that stores what it makes of an event stores this with it, in the same transaction.
        self.versions[event["subject"]] = version
        return True


def main(servers, topic, *options):
    settings = dict(option.split("=", 1) for option in options)
    left = float(settings.pop("events.max", "inf"))
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "read-events",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
        | settings
    )
    consumer.subscribe([topic])
    seen = Seen()
    try:
        while left > 0:
            message = consumer.poll(1.0)
            if message is None:
                continue
            if message.error():
                raise KafkaException(message.error())
            event = event_of(message)
            if event is not None and seen.is_new(event):
                print(json.dumps(event), flush=True)
                left -= 1
            # After the event has been dealt with: a program that ends before gets it again.
            consumer.commit(message, asynchronous=False)
    except KeyboardInterrupt:
        pass
    finally:
        consumer.close()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
