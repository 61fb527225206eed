"""Statements beyond the papers: lines, cheap moves, lifts, and the ladder they order."""
