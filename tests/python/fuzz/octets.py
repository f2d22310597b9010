"""Octets as choices: whatever a fuzzer sends is read as what a target needs."""


class Octets:
    """Reads octets; behind the last there are zeros."""

    def __init__(self, octets):
        self._left = memoryview(octets)

    def take(self, count):
        taken = bytes(self._left[:count])
        self._left = self._left[count:]
        return taken.ljust(count, b"\0")

    def up_to(self, most):
        return self.take(1)[0] % (most + 1)

    def one_of(self, choices):
        return choices[self.up_to(len(choices) - 1)]
