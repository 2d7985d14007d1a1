"""Rows into words and tables, a page each."""
