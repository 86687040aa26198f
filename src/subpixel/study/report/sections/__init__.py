"""The page's sections, one file each: results in, HTML out."""
