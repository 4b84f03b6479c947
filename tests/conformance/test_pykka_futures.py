"""What Pykka documents of futures holds for `TrioFuture`, as it does for `pykka.ThreadingFuture`."""

import threading

import pykka
import pytest

from actors.runtime import TrioFuture


@pytest.fixture(params=[TrioFuture, pykka.ThreadingFuture], ids=["trio", "threading"])
def kind(request):
    return request.param


def done(kind, value):
    future = kind()
    future.set(value)
    return future


def failed():
    raise ValueError("no")


def test_a_value_can_be_read_many_times(kind):
    future = done(kind, "x")
    assert future.get() == future.get(timeout=0) == "x"
    assert repr(future) == "<pykka.Future>"


def test_nothing_is_a_value(kind):
    future = kind()
    future.set()
    assert future.get() is None


def test_get_waits_for_another_thread(kind):
    future = kind()
    thread = threading.Thread(target=future.set, args=("later",))
    thread.start()
    assert future.get(timeout=10) == "later"
    thread.join()


@pytest.mark.parametrize("timeout", [0, 0.001])
def test_get_does_not_wait_for_ever(kind, timeout):
    with pytest.raises(pykka.Timeout):
        kind().get(timeout=timeout)


def test_many_threads_may_wait(kind):
    future, results = kind(), []
    threads = [threading.Thread(target=lambda: results.append(future.get(timeout=10))) for _ in range(5)]
    for thread in threads:
        thread.start()
    future.set(1)
    for thread in threads:
        thread.join()
    assert results == [1] * 5


def test_the_exception_that_is_being_handled(kind):
    future = kind()
    try:
        failed()
    except ValueError:
        future.set_exception()
    with pytest.raises(ValueError, match="no") as caught:
        future.get()
    assert caught.traceback[-1].name == "failed"


def test_a_given_exception(kind):
    future, error = kind(), LookupError("x")
    future.set_exception((LookupError, error, None))
    with pytest.raises(LookupError) as caught:
        future.get()
    assert caught.value is error


def test_only_the_type_of_an_exception(kind):
    future = kind()
    future.set_exception((LookupError, None, None))
    with pytest.raises(LookupError):
        future.get()


def test_an_exception_that_is_not_raised_is_a_value(kind):
    error = ValueError()
    assert done(kind, error).get() is error


@pytest.mark.parametrize(
    "second",
    [
        lambda future: future.set(2),
        lambda future: future.set_exception((ValueError, ValueError(), None)),
        lambda future: future.set_get_hook(lambda _: 2),
    ],
    ids=["set", "set_exception", "set_get_hook"],
)
def test_a_result_is_final(kind, second):
    future = done(kind, 1)
    with pytest.raises(Exception):  # noqa: B017, PT011 - which one is not documented
        second(future)
    assert future.get() == 1


def test_a_hook_is_a_result(kind):
    future = kind()
    future.set_get_hook(lambda timeout: timeout)
    with pytest.raises(Exception):  # noqa: B017, PT011 - which one is not documented
        future.set(1)
    assert future.get(timeout=3) == 3
    assert future.get(timeout=4) == 3  # computed once


def test_filter(kind):
    assert done(kind, range(6)).filter(lambda number: number % 2).get(timeout=0) == [1, 3, 5]
    with pytest.raises(TypeError):
        done(kind, 1).filter(bool).get(timeout=0)


def test_map(kind):
    assert done(kind, {"a": 1}).map(lambda table: table["a"]).get(timeout=0) == 1
    assert done(kind, [1, 2]).map(len).get(timeout=0) == 2


def test_join(kind):
    assert done(kind, 1).join(done(kind, 2), done(kind, 3)).get(timeout=0) == [1, 2, 3]


def test_reduce(kind):
    assert done(kind, [1, 2, 3]).reduce(lambda x, y: x + y).get(timeout=0) == 6
    assert done(kind, [1, 2]).reduce(lambda x, y: x + y, 5).get(timeout=0) == 8
    assert done(kind, []).reduce(lambda x, y: x + y, 5).get(timeout=0) == 5
    with pytest.raises(TypeError):
        done(kind, 1).reduce(lambda x, y: x + y).get(timeout=0)


def test_chains(kind):
    first, second = kind(), kind()
    result = first.join(second).map(sum).map(str)
    first.set(1)
    with pytest.raises(pykka.Timeout):
        result.get(timeout=0.001)
    second.set(2)
    assert result.get(timeout=10) == "3"


def test_a_chain_passes_exceptions_on(kind):
    future = kind()
    future.set_exception((ValueError, ValueError("no"), None))
    with pytest.raises(ValueError, match="no"):
        future.map(str).get(timeout=0)


def test_get_all(kind):
    assert pykka.get_all([done(kind, 1), done(kind, 2)], timeout=0) == [1, 2]
    with pytest.raises(pykka.Timeout):
        pykka.get_all([done(kind, 1), kind()], timeout=0.001)
