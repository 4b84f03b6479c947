"""For all tests: a machine that is busy makes no test fail."""

from hypothesis import settings

settings.register_profile("rookery", deadline=None)
settings.load_profile("rookery")
