"""Tables that grow while they are written: CSV, or Parquet where the file's name ends in .parquet."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from sim.whole_file import WholeFile

Columns = Sequence[Sequence[Any]]
PARQUET = ".parquet"
ROW_GROUP = 1 << 16


class _Format(Protocol):
    def write(self, columns: Columns) -> None: ...
    def finish(self) -> None: ...
    def abandon(self) -> None: ...


class TableFile:
    """A context manager: the file gets its name if no exception passes through."""

    def __init__(self, path: Path | str, types: dict[str, type]) -> None:
        """`types`: name of each column, and what is in it: int, str. OSError; ImportError without pyarrow."""
        parquet = Path(path).suffix.lower() == PARQUET
        if parquet:
            import pyarrow  # noqa: F401 -- before anything is made
        self._whole = WholeFile(path)
        self._format: _Format = _Parquet(self._whole, types) if parquet else _Csv(self._whole, types)

    def write(self, columns: Columns) -> None:
        """Append rows, given as columns of equal length; None is an empty cell. OSError."""
        self._format.write(columns)

    def __enter__(self) -> TableFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._abandon()
            return
        try:
            self._format.finish()
        except OSError:
            self._abandon()
            raise
        self._whole.close()

    def _abandon(self) -> None:
        self._format.abandon()
        self._whole.abandon()


class _Csv:
    def __init__(self, whole: WholeFile, types: dict[str, type]) -> None:
        self._text = io.TextIOWrapper(whole.file, encoding="utf-8", newline="", write_through=True)
        self._writer = csv.writer(self._text, lineterminator="\n")
        self._writer.writerow(types)

    def write(self, columns: Columns) -> None:
        self._writer.writerows(zip(*columns, strict=True))

    def finish(self) -> None:
        self._text.flush()
        self._text.detach()

    def abandon(self) -> None:
        self._text.detach()


class _Parquet:
    def __init__(self, whole: WholeFile, types: dict[str, type]) -> None:
        import pyarrow
        import pyarrow.parquet

        self._arrow = pyarrow
        kinds = {int: pyarrow.int64(), str: pyarrow.dictionary(pyarrow.int32(), pyarrow.string())}
        self._schema = pyarrow.schema([(name, kinds[kind]) for name, kind in types.items()])
        self._writer = pyarrow.parquet.ParquetWriter(whole.file, self._schema, compression="zstd")
        self._waiting: list[list[Any]] = [[] for _ in types]

    def write(self, columns: Columns) -> None:
        for waiting, column in zip(self._waiting, columns, strict=True):
            waiting.extend(column)
        if len(self._waiting[0]) >= ROW_GROUP:
            self._put()

    def finish(self) -> None:
        self._put()
        self._writer.close()

    def abandon(self) -> None:
        """Else its writer would write an end of the file when it is collected, long after the file is gone."""
        with contextlib.suppress(OSError):
            self._writer.close()
        self._writer.is_open = False

    def _put(self) -> None:
        arrays = [
            self._arrow.array(column, field.type) for column, field in zip(self._waiting, self._schema, strict=True)
        ]
        self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
        for waiting in self._waiting:
            waiting.clear()
