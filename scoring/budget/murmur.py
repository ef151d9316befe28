"""MurmurHash3, 32 bit for x86 (Austin Appleby, 2011, public domain), as Spark hashes words."""

from __future__ import annotations

SEED = 42
_MASK = 0xFFFFFFFF


def term_hash(word: str, seed: int = SEED) -> int:
    """The signed 32-bit hash of a word's UTF-8 bytes."""
    data = word.encode("utf-8")
    whole = len(data) // 4 * 4
    state = seed
    for start in range(0, whole, 4):
        state ^= _mixed(int.from_bytes(data[start : start + 4], "little"))
        state = (_turned(state, 13) * 5 + 0xE6546B64) & _MASK
    if data[whole:]:
        state ^= _mixed(int.from_bytes(data[whole:], "little"))
    return _signed(_finished(state ^ len(data)))


def _mixed(block: int) -> int:
    return (_turned(block * 0xCC9E2D51 & _MASK, 15) * 0x1B873593) & _MASK


def _turned(value: int, by: int) -> int:
    return ((value << by) | (value >> (32 - by))) & _MASK


def _finished(state: int) -> int:
    state ^= state >> 16
    state = (state * 0x85EBCA6B) & _MASK
    state ^= state >> 13
    state = (state * 0xC2B2AE35) & _MASK
    return state ^ (state >> 16)


def _signed(value: int) -> int:
    return value - 2**32 if value >= 2**31 else value
