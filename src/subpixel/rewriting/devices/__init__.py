"""What devices take: a .toml file per device, the limits that such files may state, nodes checked against them."""
