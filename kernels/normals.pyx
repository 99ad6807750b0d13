"""Standard normals at the points of a net in base 2, whose pieces differ by the bits flipped in them (theory, 4.2)."""

from libc.stdint cimport uint32_t

from entry cimport aligned, equal, within


cdef extern from "normals.h" nogil:
    void normals_of_cells(const uint32_t* cell, uint32_t flipped, Py_ssize_t n, double* out)


def normals(const uint32_t[:, ::1] cells, const uint32_t[::1] flipped, Py_ssize_t first, double[:, ::1] out,
            Py_ssize_t column, Py_ssize_t count):
    """Write the quantiles Phi^{-1}((c + 1/2) / 2^30) of `count` columns of cells, c = cells ^ flipped, into `out`.

    Reads 4 and writes 8 bytes per number; about 80 flops, of which four are divisions or roots.

    Parameters
    ----------
    cells : (D, n) integers below 2^30
    flipped : (D,) bits to be flipped in each row, below 2^30
    first : the first column of `cells`
    out : (D, any number) array
    column : the first column of `out`
    count : how many
    """
    cdef Py_ssize_t rows = cells.shape[0], i
    equal("the length of flipped", flipped.shape[0], rows)
    equal("the number of rows of out", out.shape[0], rows)
    within("first", first, 0, cells.shape[1])
    within("column", column, 0, out.shape[1])
    within("count", count, 0, min(cells.shape[1] - first, out.shape[1] - column))
    if rows == 0 or count == 0:
        return
    aligned("cells", &cells[0, 0], sizeof(uint32_t))
    aligned("flipped", &flipped[0], sizeof(uint32_t))
    aligned("out", &out[0, 0], sizeof(double))
    with nogil:
        for i in range(rows):
            normals_of_cells(&cells[i, first], flipped[i], count, &out[i, column])
