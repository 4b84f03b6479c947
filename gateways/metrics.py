"""`/metrics`: what the server says of itself, in the text format of Prometheus.

Figures are looked up when they are asked for; nothing is counted twice for this. They name queues, reasons and listeners, never
an address of a member. Whoever reaches the listener may read them: it is a listener of its own, and only there if the
configuration has it (``[metrics] listen``), so that a proxy that passes the web port on passes nothing of this on.

A figure ``archive_lag_seconds`` is called ``rookery_archive_lag_seconds`` here; one that only grows ends with ``_total``.
Beside them are Prometheus's own figures of the process (``process_resident_memory_bytes`` and others).
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from itertools import groupby
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from engine.measures import Measure
from gateways.web import Route, Visit

PATH: Final = "/metrics"
PREFIX: Final = "rookery_"

Measuring = Callable[[], Awaitable[Sequence[Measure]]]


def routes(measure: Measuring) -> Mapping[str, Route]:
    """The handler of `PATH`. `measure`: all figures, those of one name in a row."""
    return {PATH: partial(_serve, measure)}


async def _serve(measure: Measuring, visit: Visit) -> None:
    if visit.request.method not in {"GET", "HEAD"}:
        await visit.answer(HTTPStatus.METHOD_NOT_ALLOWED, headers={"allow": "GET, HEAD"})
    else:
        await visit.respond(HTTPStatus.OK, render(await measure()), {"content-type": CONTENT_TYPE_PLAIN_0_0_4})


def render(measures: Sequence[Measure]) -> bytes:
    """As Prometheus reads it."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_Measures(measures))
    return generate_latest(registry)


class _Measures(Collector):
    def __init__(self, measures: Sequence[Measure]) -> None:
        self._measures = measures

    def collect(self) -> Iterator[Metric]:
        for (name, is_total), same in groupby(self._measures, key=lambda measure: (measure.name, measure.is_total)):
            known = [(measure, measure.value) for measure in same if measure.value is not None]
            if known:
                family = CounterMetricFamily if is_total else GaugeMetricFamily
                metric = family(PREFIX + name, known[0][0].text, labels=[label for label, _ in known[0][0].labels])
                for measure, value in known:
                    metric.add_metric([text for _, text in measure.labels], value)
                yield metric
