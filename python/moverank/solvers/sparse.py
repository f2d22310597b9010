"""Cost matrices of SciPy that store the permitted entries alone, in the form that the core reads."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank import _core

#: Formats that store what was put in, explicit zeros included. Others leave zeros out or add some.
_FORMATS = ("csr", "csc", "coo")


def is_scipy_sparse(value: Any) -> bool:
    """Whether it is a sparse matrix or array of SciPy, which is not imported for that."""
    sparse = sys.modules.get("scipy.sparse")
    return sparse is not None and bool(sparse.issparse(value))


def _integers(indices: NDArray[Any], name: str) -> Any:
    """The type in which the core reads these indices."""
    if indices.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected indices that are integers, got dtype {indices.dtype}")
    return np.int32 if indices.dtype == np.int32 else np.int64


def _sound(value: Any, name: str) -> Any:
    """The same columns or entries, with indices that lie in the matrix.

    SciPy checks these where a matrix is made, but not where it is converted: arrays that were changed in between would
    be read beyond their ends.
    """
    given = (value.row, value.col) if value.format == "coo" else (value.indices, value.indptr)
    parts = tuple(np.asarray(indices, dtype=_integers(indices, name)) for indices in given)
    try:
        if value.format == "coo":
            return type(value)((value.data, parts), shape=value.shape)
        columns = type(value)((value.data, *parts), shape=value.shape)
        columns.check_format(full_check=True)
    except (ValueError, IndexError) as error:
        raise ValueError(f"{name}: its indices do not fit its shape and its entries: {error}") from None
    return columns


@dataclass(frozen=True)
class SparseCost:
    """Compressed rows: arrays of one type of indices, costs in float32 or float64.

    Attributes
    ----------
    begin, columns : ndarray of int32 or int64, shapes (n + 1,) and (nnz,)
        Row i has the entries ``begin[i]:begin[i + 1]``.
    costs : ndarray of float32 or float64, shape (nnz,)
    shape : tuple of int
    kind : type
        What a plan has to be: ``scipy.sparse.csr_array``, or ``csr_matrix`` if that is what the caller works with.
    """

    begin: NDArray[Any]
    columns: NDArray[Any]
    costs: NDArray[Any]
    shape: tuple[int, int]
    kind: Any

    @staticmethod
    def of(value: Any, name: str) -> SparseCost:
        """Convert a matrix of SciPy; costs that are not float32 become float64. The core checks the entries."""
        if value.format not in _FORMATS:
            raise TypeError(
                f"{name}: expected a sparse matrix in CSR, CSC or COO format, got {value.format.upper()}; convert it "
                "with .tocsr(), and see what becomes of its zeros: a stored zero is a cost of 0, what is not stored is "
                "forbidden"
            )
        if value.ndim != 2:
            raise ValueError(f"{name}: expected an array of shape (n, m), got shape {value.shape}")
        if value.dtype.kind not in "fiub":
            raise TypeError(f"{name}: expected real numbers, got dtype {value.dtype}")
        if 0 in value.shape:
            raise ValueError(f"{name}: expected at least one row and one column, got shape {value.shape}")
        rows = value if value.format == "csr" else _sound(value, name).tocsr()
        if value.format != "csr" and rows.nnz != value.nnz:
            raise ValueError(
                f"{name}: stores {value.nnz - rows.nnz} entries twice; SciPy would add them up. Call "
                f"{name}.sum_duplicates() if that is what you want"
            )
        sparse = sys.modules["scipy.sparse"]
        matrix = getattr(sparse, "spmatrix", None)
        indices = np.result_type(_integers(rows.indptr, name), _integers(rows.indices, name))
        return SparseCost(
            np.ascontiguousarray(rows.indptr, dtype=indices),
            np.ascontiguousarray(rows.indices, dtype=indices),
            np.ascontiguousarray(rows.data, dtype=np.float32 if rows.dtype == np.float32 else np.float64),
            rows.shape,
            sparse.csr_matrix if matrix is not None and isinstance(value, matrix) else sparse.csr_array,
        )

    def solve(
        self, masses: tuple[NDArray[np.float64] | None, NDArray[np.float64] | None], limits: tuple[float, float]
    ) -> _core.SparseSolution:
        """Solve in the core."""
        return _core.sparse_transport(self.begin, self.columns, self.costs, self.shape[1], *masses, *limits)

    def plan(self, solution: _core.SparseSolution, scale: float, swapped: bool) -> Any:
        """The plan in units of the masses, sides as they were given."""
        places = (solution.targets, solution.sources) if swapped else (solution.sources, solution.targets)
        shape = self.shape[::-1] if swapped else self.shape
        return self.kind((solution.masses * scale, places), shape=shape)
