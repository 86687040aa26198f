"""The page that shows the note's two answers, and the drawings on it."""
