"""Every test may ask for real servers; what a test does not ask for is not started."""

pytest_plugins = [
    "shared.testing.run_directory",
    "shared.testing.services",
    "shared.testing.kafka",
    "shared.testing.postgres",
    "shared.testing.suites",
]
