"""What a form costs: multiplications, and milliseconds of the site with its neighbourhood; the fastest is kept."""
