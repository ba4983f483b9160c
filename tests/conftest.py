"""Settings every test shares.

Properties take their number of examples from the profile: `quick` (`make test`) is a tenth of `long` (`make long`).
A property too slow for that many asks for a share of it, `@settings(max_examples=settings().max_examples // 10)`,
so that the tenth stays a tenth. Examples are derandomised: a failure is there again on the next run.
"""

import os

from hypothesis import HealthCheck, settings

COMMON = {"deadline": None, "derandomize": True, "suppress_health_check": [HealthCheck.too_slow]}

settings.register_profile("quick", max_examples=100, **COMMON)
settings.register_profile("long", max_examples=1000, **COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
