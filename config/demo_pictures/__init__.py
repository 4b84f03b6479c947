"""The demo's pictures, drawn for it: the faces of its people, named as their addresses are, and what they share."""

from collections.abc import Iterable
from importlib import resources

from config.settings import Settings
from config.upkeep import open_accounts
from engine.messages import Photo


async def write_faces(settings: Settings, addresses: Iterable[str]) -> None:
    """Give a photo to who has none; the caller holds the claim."""
    folder = resources.files(__name__)
    async with open_accounts(settings.data_dir) as accounts:
        for address in addresses:
            if await accounts.photo(address) is None:
                face = folder / f"{address.partition('@')[0]}.png"
                await accounts.set_photo(address, Photo("image/png", face.read_bytes()))
