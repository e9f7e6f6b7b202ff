"""Finding words and runs of digits in a stream, and masking them byte by byte."""

from __future__ import annotations

import re


class Words:
    """The automaton of Aho and Corasick (1975). State 0 is its beginning.

    ``next`` has a table of each state's successors by byte, those back to the beginning left out.
    ``found`` is the length of the longest word that ends in a state, ``open`` how many bytes before
    it may be the beginning of a word and are in none yet.
    """

    def __init__(self, words: list[bytes]) -> None:
        self.next: list[dict[int, int]] = [{}]
        self.found = [0]
        self._depth = [0]
        for word in words:
            state = 0
            for byte in word:
                if byte not in self.next[state]:
                    self.next[state][byte] = len(self.next)
                    self.next.append({})
                    self.found.append(0)
                    self._depth.append(self._depth[state] + 1)
                state = self.next[state][byte]
            self.found[state] = len(word)
        self.open = self._close()

    def _close(self) -> list[int]:
        """Make an automaton of the tree: a state without a child goes where its longest proper
        suffix goes.
        """
        suffix, opens, queue = [0] * len(self.next), [0] * len(self.next), [0]
        for state in queue:
            children = dict(self.next[state])
            inherited = self.next[suffix[state]] if state else {}
            for byte, child in children.items():
                suffix[child] = inherited.get(byte, 0)
                self.found[child] = max(self.found[child], self.found[suffix[child]])
                queue.append(child)
            self.next[state] = inherited | children
            length = self._depth[state] if children else opens[suffix[state]]
            # A word that ends here and covers all of it leaves nothing open.
            opens[state] = 0 if self.found[state] >= length else length
        return opens


class Mask:
    """Masks a body chunk by chunk. A masked byte becomes one byte of the mask, so lengths stay as
    they are.
    """

    def __init__(self, mask: bytes, digits: int, words: Words) -> None:
        self._mask = mask
        self._digits = digits
        self._words = words
        letters = {byte for state in words.next for byte in state} | (set(b"0123456789") if digits else set())
        # The stretches in which a word or a run of digits may go on. The others cost nothing.
        self._stretches = re.compile(b"[" + re.escape(bytes(sorted(letters))) + b"]+") if letters else None
        self._state = self._run = 0
        # The end of what was seen, held back because it may be the beginning of something to mask.
        self._held = b""

    def feed(self, chunk: bytes, *, last: bool) -> bytes | None:
        """What to send for a chunk; None for the chunk as it is."""
        before = len(self._held)
        out = bytearray(self._held + chunk)
        end, masked = before, False
        for stretch in self._stretches.finditer(chunk) if self._stretches else ():
            if before + stretch.start() != end:
                self._state = self._run = 0
            masked |= self._mask_stretch(out, stretch[0], before + stretch.start())
            end = before + stretch.end()
        if end != len(out):
            self._state = self._run = 0
        held = 0
        if last:
            self._state = self._run = 0
        else:
            held = max(self._words.open[self._state], self._run if self._run < self._digits else 0)
        self._held = b""
        if not held and not before and not masked:
            return None
        sent = max(0, len(out) - held)
        self._held = bytes(out[sent:])
        return bytes(out[:sent])

    def _mask_stretch(self, out: bytearray, stretch: bytes, begin: int) -> bool:
        words, digits = self._words, self._digits
        state, run, masked = self._state, self._run, False
        for end, byte in enumerate(stretch, begin + 1):
            state = words.next[state].get(byte, 0)
            run = run + 1 if 48 <= byte <= 57 else 0
            length = words.found[state]
            if digits and run >= digits:
                # All of the run once it is long enough, then each digit that follows.
                length = max(length, digits if run == digits else 1)
            if length:
                # What went out before was masked then.
                start = max(0, end - length)
                out[start:end] = self._mask * (end - start)
                masked = True
        self._state, self._run = state, run
        return masked
