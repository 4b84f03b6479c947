"""Files, on disk and in memory: places, half uploads, who may have what, and what goes when."""

import msgspec
import pytest
import trio

from engine.files import (
    PLACES_AWAITED,
    SLOT_SECONDS,
    STALE_SECONDS,
    UNSHARED_SECONDS,
    FileGone,
    FileTaken,
    SharedFile,
)
from engine.messages import HistoryQuery
from engine.ports import StorageUnavailable
from index import files as files_on_disk
from index.memory_archive import MemoryArchive
from tests.index.stories import NOON, says, says_to_alias

A, B, C, TEAM = "a@x.org", "b@x.org", "c@x.org", "team@x.org"
NOW = int(NOON * 1_000_000)
SECOND = 1_000_000


def place(number: int = 1, owner: str = A, size: int = 5, made_at: int = NOW, name: str = "a.png") -> SharedFile:
    return SharedFile(f"{number:024}", owner, name, size, made_at)


async def put(archive, file: SharedFile, content: bytes = b"hello") -> SharedFile:
    assert await archive.files.reserve(file, 0)
    async with archive.files.receive(file) as incoming:
        await incoming.write(content[:2])
        await incoming.write(content[2:])
        await incoming.keep()
    return msgspec.structs.replace(file, is_kept=True)


async def test_what_was_kept_is_read(archive):
    file = await put(archive, place())
    assert await archive.files.find(file.id) == file
    assert await archive.files.read(file, 0, 100) == b"hello"
    assert await archive.files.read(file, 1, 3) == b"ell"
    assert await archive.files.read(file, 5, 3) == b""
    assert await archive.files.problems() == []


async def test_half_a_file_is_never_seen(archive):
    file = place()
    await archive.files.reserve(file, 0)
    async with archive.files.receive(file) as incoming:
        await incoming.write(b"he")
        assert not (await archive.files.find(file.id)).is_kept
    assert not (await archive.files.find(file.id)).is_kept
    with pytest.raises(FileGone):
        await archive.files.read(file, 0, 5)
    async with archive.files.receive(file) as incoming:  # another attempt begins anew
        await incoming.write(b"hello")
        await incoming.keep()
    assert await archive.files.read(file, 0, 9) == b"hello"


async def test_a_cancelled_upload_leaves_nothing(archive, tmp_path):
    file = place()
    await archive.files.reserve(file, 0)
    with trio.CancelScope() as scope:
        async with archive.files.receive(file) as incoming:
            await incoming.write(b"he")
            scope.cancel()
            await trio.sleep_forever()
    assert [path for path in tmp_path.rglob("*") if file.id in path.name] == []


async def test_one_fills_a_place_and_once(archive):
    file = place()
    await archive.files.reserve(file, 0)
    async with archive.files.receive(file) as incoming:
        with pytest.raises(FileTaken):
            async with archive.files.receive(file):
                pass
        await incoming.write(b"hello")
        await incoming.keep()
    with pytest.raises(FileTaken):
        async with archive.files.receive(file):
            pass
    with pytest.raises(FileTaken):
        async with archive.files.receive(place(2)):
            pass  # nobody reserved it


async def test_a_quota_counts_what_is_kept_and_what_is_reserved(archive):
    await put(archive, place(1))
    assert await archive.files.reserve(place(2), quota=10)
    assert not await archive.files.reserve(place(3), quota=10)
    assert await archive.files.reserve(place(4, owner=B), quota=10)
    later = NOW + SLOT_SECONDS * SECOND + 1  # the place was not filled in time
    assert await archive.files.reserve(place(5, made_at=later), quota=10)
    assert await archive.files.reserve(place(6, size=10**9), quota=0)


async def test_places_that_wait_are_few(archive):
    for number in range(PLACES_AWAITED):
        assert await archive.files.reserve(place(number), 0)
    assert not await archive.files.reserve(place(PLACES_AWAITED), 0)
    assert await archive.files.reserve(place(PLACES_AWAITED, owner=B), 0)


async def test_who_has_the_message_may_have_the_file(archive):
    file = await put(archive, place())

    async def who() -> str:
        return " ".join([p[0] for p in (A, B, C, "d@x.org", TEAM) if await archive.files.may_have(file.id, p)])

    assert await who() == "a"
    await archive.commit([says(A, B, file=file.id)])
    assert await who() == "a b"
    await archive.commit([says_to_alias(B, TEAM, C, "d@x.org", file=file.id)])
    assert await who() == "a b c"  # d was absent: he has not the message either


async def test_a_resend_and_an_unknown_file_carry_nothing(archive):
    file = await put(archive, place())
    await archive.commit([says(A, B, origin="o")])
    await archive.commit([says(A, B, origin="o", file=file.id), says(A, C, file="x" * 24)])
    assert not await archive.files.may_have(file.id, B)
    awaited = place(2)
    await archive.files.reserve(awaited, 0)
    await archive.commit([says(A, B, file=awaited.id)])
    assert not await archive.files.may_have(awaited.id, B)


async def test_the_files_of_a_conversation(archive):
    file, other = await put(archive, place(1)), await put(archive, place(2))
    await archive.commit(
        [says(A, B, "0"), says(A, B, "1", file=file.id), says(B, A, "2", file=other.id), says(A, C, "3", file=other.id)]
    )

    async def bodies(owner: str, **conditions) -> str:
        page = await archive.histories.page(HistoryQuery(owner=owner, has_file=True, **conditions))
        return "".join(kept.chat.body for kept in page.kept)

    assert await bodies(A) == "123"
    assert await bodies(A, peer=B) == "12"
    assert await bodies(A, peer=B, limit=1, is_backwards=True) == "2"
    assert await bodies(C) == "3"
    assert await archive.histories.count(HistoryQuery(owner=A, has_file=True)) == 3


# -- what goes -----------------------------------------------------------------------------------------------------------


async def purge(archive, before: int) -> None:
    while not (await archive.retention.purge(before)).is_done:
        pass


async def depart(archive, owner: str) -> None:
    while not (await archive.retention.depart(owner)).is_done:
        pass


async def test_a_file_goes_with_the_last_message_that_carries_it(archive, clock, tmp_path):
    file = await put(archive, place())
    await archive.commit([says(A, B, file=file.id)])
    clock.now += 100
    await archive.commit([says(B, C, file=file.id)])
    assert await archive.files.sweep(NOW) == 0
    await purge(archive, NOW + 50 * SECOND)
    assert await archive.files.sweep(NOW, NOW + 50 * SECOND) == 0
    assert await archive.files.may_have(file.id, C)
    await purge(archive, NOW + 200 * SECOND)
    assert await archive.files.sweep(NOW, NOW + 200 * SECOND) == 1
    assert await archive.files.find(file.id) is None
    with pytest.raises(FileGone):
        await archive.files.read(file, 0, 1)
    assert [path for path in tmp_path.rglob("*") if file.id in path.name] == []


async def test_a_message_that_is_taken_back_carries_nothing_any_more(archive):
    file = await put(archive, place())
    await archive.commit([says(A, B, origin="one", file=file.id), says(B, A, origin="two", retracts="one")])
    assert await archive.files.may_have(file.id, B)  # one's own messages only
    await archive.commit([says(A, B, origin="three", retracts="another")])
    assert await archive.files.may_have(file.id, B)
    await archive.commit([says(A, B, origin="four", retracts="one")])
    assert not await archive.files.may_have(file.id, B)
    assert (await archive.histories.page(HistoryQuery(owner=B, has_file=True))).kept == ()
    assert await archive.files.sweep(NOW) == 1


async def test_what_nobody_shared_goes_later(archive):
    unshared, awaited = await put(archive, place(1)), place(2)
    await archive.files.reserve(awaited, 0)
    assert await archive.files.sweep(NOW + STALE_SECONDS * SECOND) == 0
    assert await archive.files.sweep(NOW + STALE_SECONDS * SECOND + 1) == 1
    assert await archive.files.find(awaited.id) is None
    assert await archive.files.sweep(NOW + UNSHARED_SECONDS * SECOND) == 0
    assert await archive.files.sweep(NOW + UNSHARED_SECONDS * SECOND + 1) == 1
    assert await archive.files.find(unshared.id) is None


async def test_a_purge_takes_what_was_uploaded_before_and_never_shared(archive):
    await put(archive, place(1))
    assert await archive.files.sweep(NOW, before=NOW) == 0
    assert await archive.files.sweep(NOW, before=NOW + 1) == 1


async def test_who_leaves_takes_what_nobody_else_has(archive):
    shared, own = await put(archive, place(1)), await put(archive, place(2))
    await archive.commit([says(A, B, file=shared.id)])
    await depart(archive, A)
    assert await archive.files.sweep(NOW) == 1
    assert await archive.files.find(own.id) is None
    assert await archive.files.may_have(shared.id, B)
    assert not await archive.files.may_have(shared.id, A)  # whoever gets the address next has nothing of it
    assert await archive.files.reserve(place(3), quota=5)
    await depart(archive, B)
    assert await archive.files.sweep(NOW) == 1


async def test_many_go_in_steps(archive):
    for number in range(files_on_disk.SWEEP_FILES + 3):
        await put(archive, place(number))
    assert await archive.files.sweep(NOW, NOW + 1) == files_on_disk.SWEEP_FILES + 3


async def test_a_place_that_was_given_up_meanwhile_is_not_filled(archive):
    file = place()
    await archive.files.reserve(file, 0)
    async with archive.files.receive(file) as incoming:
        await incoming.write(b"hello")
        await archive.files.sweep(NOW + STALE_SECONDS * SECOND + 1)
        with pytest.raises(FileGone):
            await incoming.keep()
    assert await archive.files.find(file.id) is None


# -- the disk --------------------------------------------------------------------------------------------------------------


async def test_a_full_disk_refuses_and_keeps_nothing(archive, monkeypatch, tmp_path):
    if isinstance(archive, MemoryArchive):
        pytest.skip("there is no disk")
    file = place()
    await archive.files.reserve(file, 0)
    monkeypatch.setattr(files_on_disk, "SPARE_BYTES", 1 << 60)
    with pytest.raises(StorageUnavailable, match="nearly full"):
        async with archive.files.receive(file):
            pass
    assert [path for path in tmp_path.rglob("*") if file.id in path.name] == []
    monkeypatch.undo()
    async with archive.files.receive(file) as incoming:
        await incoming.write(b"hello")
        await incoming.keep()


async def test_what_is_not_as_it_should_be_is_said(archive, tmp_path):
    if isinstance(archive, MemoryArchive):
        pytest.skip("there is no disk")
    short, missing = await put(archive, place(1)), await put(archive, place(2))
    folder = tmp_path / "files" / short.id[:2]
    assert (folder / short.id).stat().st_mode & 0o777 == 0o600
    (folder / short.id).write_bytes(b"hell")
    (folder / missing.id).unlink()
    assert await archive.files.problems() == [
        f"files/00/{short.id}: has 4 bytes, but should have 5",
        f"files/00/{missing.id}: is missing",
    ]
