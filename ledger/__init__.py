"""Bening: a public ledger of official acts that anyone can check. README.md names the rooms."""
