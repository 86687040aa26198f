"""What each goal does over a whole model: `lr` and `deconv` in passes, `fastest` by the clock."""
