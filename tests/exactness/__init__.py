"""Random layers and equality: what `scripts/check-exact` runs by the ten thousand and pytest by the hundred."""
