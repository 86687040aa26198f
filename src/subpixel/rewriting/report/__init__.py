"""The report for people: a page that needs nothing but itself."""
