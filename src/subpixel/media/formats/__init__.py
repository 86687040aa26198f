"""File formats row by row: what goes in or out without the whole picture in memory."""
