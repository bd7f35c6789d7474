"""What holds for all tests: how many examples they try, what a skip is, and what they share."""

from tests.effort import load_profile

load_profile()

pytest_plugins = ["tests.databases", "tests.shared_gateway", "tests.strictness"]
