"""What Pykka documents of proxies holds for `TrioActor`, as it does for `pykka.ThreadingActor`; used from a thread."""

import pykka
import pytest
import trio

from actors.runtime import Runtime, TrioActor


class Playback:
    volume = 3

    def play(self, song):
        return f"playing {song} at {self.volume}"


def make(base):
    class Player(base):
        title = "class attribute"
        playback = pykka.traversable(Playback())
        hidden = Playback()

        def __init__(self):
            super().__init__()
            self.count = 0
            self._secret = "x"
            self._me = self.actor_ref.proxy() if self.actor_ref.is_alive() else None

        @property
        def twice(self):
            return 2 * self.count

        def add(self, number, *, times=1):
            self.count += number * times
            return self.count

        def fail(self):
            raise ValueError("as told")

        def talk_to_oneself(self):
            return self._me.add(1)

    return Player


@pytest.fixture(params=[TrioActor, pykka.ThreadingActor], ids=["trio", "threading"])
def base(request):
    return request.param


@pytest.fixture
async def use(base, nursery):
    """Runs a function of a proxy in a thread."""
    runtime = Runtime()
    await nursery.start(runtime.run)

    async def use(test):
        def run():
            ref = make(base).start()
            try:
                return test(ref.proxy())
            finally:
                ref.stop(timeout=10)

        return await trio.to_thread.run_sync(run)

    return use


async def test_calls_give_futures(use):
    def test(proxy):
        assert proxy.add(2).get(timeout=10) == 2
        assert proxy.add(2, times=5).get(timeout=10) == 12

    await use(test)


async def test_attributes(use):
    def test(proxy):
        assert proxy.title.get(timeout=10) == "class attribute"
        assert proxy.count.get(timeout=10) == 0
        proxy.count = 4
        assert proxy.twice.get(timeout=10) == 8
        with pytest.raises(AttributeError):
            proxy.nothing  # noqa: B018
        with pytest.raises(AttributeError):
            proxy._secret  # noqa: B018
        assert {"add", "count", "title", "playback"} <= set(dir(proxy))

    await use(test)


async def test_setting_a_read_only_attribute_fails_at_once(use):
    def test(proxy):
        with pytest.raises(AttributeError):
            proxy.twice = 1

    await use(test)


async def test_traversable_attributes(use):
    def test(proxy):
        assert proxy.playback.play("x").get(timeout=10) == "playing x at 3"
        assert proxy.playback.volume.get(timeout=10) == 3
        assert isinstance(proxy.hidden, pykka.Future)

    await use(test)


async def test_errors_are_answers(use):
    def test(proxy):
        with pytest.raises(ValueError, match="as told"):
            proxy.fail().get(timeout=10)
        assert proxy.add(1).get(timeout=10) == 1

    await use(test)


async def test_defer_wants_no_answer(use):
    def test(proxy):
        assert proxy.add.defer(3) is None
        assert proxy.count.get(timeout=10) == 3

    await use(test)


async def test_an_actor_may_use_its_own_proxy(use):
    def test(proxy):
        assert proxy.talk_to_oneself().get(timeout=10).get(timeout=10) == 1

    await use(test)


async def test_proxies_are_equal_if_they_mean_the_same(use):
    def test(proxy):
        assert proxy == proxy.actor_ref.proxy()
        assert hash(proxy) == hash(proxy.actor_ref.proxy())
        assert proxy != proxy.playback
        assert repr(proxy) == f"<ActorProxy for {proxy.actor_ref}, attr_path=()>"

    await use(test)


async def test_a_proxy_of_a_dead_actor(use):
    def test(proxy):
        proxy.stop()
        proxy.actor_ref.stop(timeout=10)
        with pytest.raises(pykka.ActorDeadError):
            proxy.add(1).get(timeout=10)
        with pytest.raises(pykka.ActorDeadError):
            pykka.ActorProxy(actor_ref=proxy.actor_ref)

    await use(test)
