# What every entry asks of its arguments, once per call: sizes that fit each other, and numbers that lie where C expects.
from activations cimport POLYNOMIAL
from libc.stdint cimport uintptr_t


cdef inline int equal(str what, Py_ssize_t given, Py_ssize_t wanted) except -1:
    if given != wanted:
        raise ValueError(f"{what} is {given}; allowed is {wanted}")
    return 0


cdef inline int within(str what, Py_ssize_t given, Py_ssize_t least, Py_ssize_t most) except -1:
    if not least <= given <= most:
        raise ValueError(f"{what} is {given}; allowed are {least} to {most}")
    return 0


cdef inline int at_least(str what, Py_ssize_t given, Py_ssize_t least) except -1:
    if given < least:
        raise ValueError(f"{what} is {given}; allowed are integers >= {least}")
    return 0


cdef inline int aligned(str what, const void* first, size_t size) except -1:
    """Refuse no array, and numbers of `size` bytes not at a multiple of it, as in fields of packed structures."""
    if first == NULL:
        raise TypeError(f"{what} is None; allowed are arrays")
    if <uintptr_t> first % size:
        raise ValueError(f"{what} is not aligned to its {size} bytes; allowed is a copy of it")
    return 0


cdef inline int network(Py_ssize_t p, Py_ssize_t a, int kind, int threads) except -1:
    """Check what every kernel that knows the activation is told: a (p,), the enum Kind, the number of threads."""
    at_least("the number of neurons", p, 1)
    equal("the length of a", a, p)
    within("kind", kind, 0, POLYNOMIAL)
    return at_least("threads", threads, 1)
