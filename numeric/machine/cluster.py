"""Where runs go when one process is not enough: a Dask cluster on this machine, or one that is there already."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...symbolic.errors import RebatchError

# A scheduler that is there answers at once.
_PATIENCE = 10


@contextmanager
def connected(workers: int = 0, address: str | None = None) -> Iterator[Any]:
    """Yield a Dask client: of `workers` processes here, of the scheduler at an address, or None for neither.

    Raises
    ------
    RebatchError
        If Dask is not installed (extra `cluster`), or no scheduler answers at the address.
    """
    if not workers and address is None:
        yield None
        return
    try:
        from distributed import Client, LocalCluster  # noqa: PLC0415 - an extra
    except ImportError:
        raise RebatchError("a cluster needs Dask; allowed after: pip install 'rebatch[cluster]'") from None
    if address is None:
        with (
            LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as here,
            Client(here) as client,
        ):
            yield client
        return
    try:
        client = Client(address, timeout=_PATIENCE)
    except (OSError, ValueError) as error:
        raise RebatchError(f"no Dask scheduler answers at {address!r}: {error}") from None
    with client:
        yield client
