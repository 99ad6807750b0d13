import numpy as np
import pytest

from rebatch.cli.tables import overlaps_table


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [
        (0.123456789, 0.0021, "0.12346 ± 0.00210"),
        (0.123456789, 3.21e-6, "0.12345679 ± 3.2e-06"),
        (0.123456789, 1e-17, "0.12345679 ± < 1e-10"),
        (0.25, 0.0, "0.25000"),
    ],
)
def test_an_error_is_never_shown_as_zero(value, error, shown):
    table = overlaps_table(np.array([[[value]]]), np.array([[[error]]]))
    assert list(table.columns[2].cells) == [shown]
