"""Nodes that trade places before anything is joined: 1×1 convolutions (A7), shuffles (A9, A10)."""
