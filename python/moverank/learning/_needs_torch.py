"""Refuse to be imported without torch, with an error that names the extra."""

from moverank._support.optional import optional

optional("torch", "torch")
