"""Figures as Prometheus reads them."""

from prometheus_client.parser import text_string_to_metric_families

from engine.measures import Measure
from gateways.metrics import render

MEASURES = [
    Measure("sessions", "Sessions", 3),
    Measure("unknown", "Nobody can tell just now", None),
    Measure(
        "ended",
        "Connections that are over",
        2,
        (("listener", "web"), ("reason", 'a "quote"\nand a line')),
        is_total=True,
    ),
    Measure("ended", "Connections that are over", 5, (("listener", "xmpp"), ("reason", "")), is_total=True),
]


def test_what_is_rendered_can_be_read():
    families = {family.name: family for family in text_string_to_metric_families(render(MEASURES).decode())}
    assert [sample.value for sample in families["rookery_sessions"].samples] == [3]
    assert families["rookery_sessions"].documentation == "Sessions"
    ended = families["rookery_ended"]
    assert ended.type == "counter"
    assert [(sample.name, sample.labels, sample.value) for sample in ended.samples] == [
        ("rookery_ended_total", {"listener": "web", "reason": 'a "quote"\nand a line'}, 2),
        ("rookery_ended_total", {"listener": "xmpp", "reason": ""}, 5),
    ]
    assert "rookery_unknown" not in families
    assert "process_resident_memory_bytes" in families
