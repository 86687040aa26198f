"""The note's second answer measured: networks of equal budget and equal speed, and the page that shows both answers."""
