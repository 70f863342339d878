"""Chance in a simulated fleet: one stream an entity, so that one entity more changes no other."""

import hashlib
from random import Random


def stream(seed: int, *names: str) -> Random:
    """Return the stream of numbers that belongs to `names`, the same for the same seed wherever it runs."""
    digest = hashlib.blake2b("\x00".join((str(seed), *names)).encode(), digest_size=16).digest()
    return Random(int.from_bytes(digest))  # noqa: S311 - numbers for a story, not for a secret


def hexadecimal(length: int, *names: str) -> str:
    """Return `length` (at most 128) hexadecimal digits that stand for `names`, as shas and digests do."""
    return hashlib.blake2b("\x00".join(names).encode(), digest_size=64).hexdigest()[:length]


def uid(*names: str) -> str:
    """Return a uid for `names`, in the form of a random UUID."""
    text = hexadecimal(32, *names)
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def suffix(length: int, *names: str) -> str:
    """Return `length` characters for `names`, of those that Kubernetes puts behind a generateName."""
    digits = hashlib.blake2b("\x00".join(names).encode(), digest_size=length).digest()
    return "".join(_ALPHABET[digit % len(_ALPHABET)] for digit in digits)


_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""k8s.io/apimachinery/pkg/util/rand: no vowels, and no 0, 1 and 3, so that no words come out."""


def lognormal(random: Random, median: float, sigma: float) -> float:
    """Return a duration with this median; two in three lie within a factor of e**sigma of it."""
    return median * random.lognormvariate(0, sigma)
