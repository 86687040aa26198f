"""That two graphs compute the same: by normal form, by runs on integers, within bounds, against float64."""
