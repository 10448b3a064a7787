"""Encoder of PNG files of every color type and depth, after the standard (ISO/IEC 15948), and of their pixels."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6
"""Color types."""
CHANNELS = {GRAY: 1, RGB: 3, PALETTE: 1, GRAY_ALPHA: 2, RGBA: 4}
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
"""First row and column of each interlaced pass, and its steps."""


@dataclass(frozen=True)
class Png:
    """A PNG file and its meaning."""

    depth: int
    color_type: int
    samples: NDArray[np.uint16]
    """[height, width, channels]"""
    palette: NDArray[np.uint8] | None = None
    """[colors, 3]"""
    transparent: tuple[int, ...] | None = None
    """The transparent color or, with a palette, the alpha of its first colors."""
    interlaced: bool = False

    def encode(self) -> bytes:
        """Return the file."""
        height, width, _ = self.samples.shape
        header = struct.pack(">IIBBBBB", width, height, self.depth, self.color_type, 0, 0, int(self.interlaced))
        passes = [self.samples]
        if self.interlaced:
            passes = [self.samples[row::down, column::right] for row, column, down, right in ADAM7]
        rows = [row for part in passes if part.size for row in part]
        chunks = [_chunk(b"IHDR", header)]
        if self.palette is not None:
            chunks.append(_chunk(b"PLTE", self.palette.tobytes()))
        if self.transparent is not None:
            size = "B" if self.color_type == PALETTE else "H"
            chunks.append(_chunk(b"tRNS", struct.pack(f">{len(self.transparent)}{size}", *self.transparent)))
        data = b"".join(b"\0" + self._pack(row) for row in rows)
        chunks += [_chunk(b"IDAT", zlib.compress(data)), _chunk(b"IEND", b"")]
        return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)

    def on_white(self) -> NDArray[np.float64]:
        """Return the colors on a white background, 0 to 255: [height, width, 3]."""
        top = 2**self.depth - 1
        alpha = np.ones(self.samples.shape[:2])
        if self.palette is not None:
            colors = self.palette[self.samples[..., 0]].astype(np.float64)
            alphas = np.full(len(self.palette), 255.0)
            alphas[: len(self.transparent or ())] = self.transparent or ()
            alpha = alphas[self.samples[..., 0]] / 255
        else:
            count = 1 if self.color_type in (GRAY, GRAY_ALPHA) else 3
            colors = np.broadcast_to(self.samples[..., :count] / top * 255, (*alpha.shape, 3))
            if self.color_type in (GRAY_ALPHA, RGBA):
                alpha = self.samples[..., -1] / top
            elif self.transparent is not None:
                alpha = (self.samples != np.array(self.transparent)).any(axis=-1).astype(np.float64)
        return colors * alpha[..., None] + 255 * (1 - alpha[..., None])

    def _pack(self, row: NDArray[np.uint16]) -> bytes:
        if self.depth == 16:
            return row.astype(">u2").tobytes()
        bits = (row.reshape(-1, 1) >> np.arange(self.depth - 1, -1, -1)) & 1
        return np.packbits(bits.astype(np.uint8).reshape(-1)).tobytes()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
