"""Fixtures for all tests."""

from hypothesis import HealthCheck, settings

# Hypothesis times each example and the making of them: on a machine that stands still for seconds both fail by chance.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

pytest_plugins = ["tests.databases"]
