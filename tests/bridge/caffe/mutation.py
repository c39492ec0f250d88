"""Files damaged at random: text by its words and numbers, bytes by their bits, lengths and ends."""

from __future__ import annotations

import re

import numpy as np

WORDS = re.compile(rb"\s+|[A-Za-z_]\w*|-?[\d.]+(?:[eE][+-]?\d+)?|.", re.DOTALL)
STRANGE = (
    *b"0 -1 1 2 3 7 64 999 4294967295 2147483647 1e38 -inf nan true".split(),
    *b"{ } < [ ] : \" ' # \\ \x00 \xff layer layers MAX AVE STOCHASTIC TRAIN".split(b" "),
    *(b'"x"', b"[1, 2]", b'type: "Pooling"', b'type: "LSTM"', b'type: "SPP"', b'bottom: "x"'),
)


def mutated_text(data: bytes, rng: np.random.Generator, vocabulary: list[bytes]) -> bytes:
    """`data` with a few words taken out, doubled, exchanged or replaced, by words of other files, too."""
    words = WORDS.findall(data)
    for _ in range(int(rng.integers(1, 6))):
        at, other = (int(i) for i in rng.integers(len(words), size=2))
        choice = rng.integers(6)
        if choice == 0:
            del words[at : at + int(rng.integers(1, 9))]
        elif choice == 1:
            words[at:at] = words[at : at + int(rng.integers(1, 60))]
        elif choice == 2:
            words[at], words[other] = words[other], words[at]
        elif choice == 3:
            numbers = [i for i, word in enumerate(words) if word[:1].isdigit()] or [at]
            words[numbers[int(rng.integers(len(numbers)))]] = STRANGE[int(rng.integers(14))]
        else:
            source = STRANGE if choice == 4 else vocabulary
            words[at] = source[int(rng.integers(len(source)))]
        words = words or [b" "]
    return b"".join(words)


def mutated_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """`data` with bits flipped, bytes replaced, doubled or taken out, or its end cut off."""
    result = bytearray(data)
    for _ in range(int(rng.integers(1, 8))):
        at = int(rng.integers(len(result)))
        choice = rng.integers(5)
        if choice == 0:
            result[at] ^= 1 << int(rng.integers(8))
        elif choice == 1:
            result[at] = (0, 1, 127, 128, 255)[int(rng.integers(5))]
        elif choice == 2:
            del result[at : at + int(rng.integers(1, 20))]
        elif choice == 3:
            result[at:at] = result[at : at + int(rng.integers(1, 20))]
        elif rng.integers(4) == 0:
            del result[at:]
        result = result or bytearray(b"\0")
    return bytes(result)
