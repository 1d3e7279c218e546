"""What can be said of strategies that ran on the same few seeds: intervals, paired tests, power, and words for them.

Knows nothing of runs: every function takes plain arrays with one number for each seed.

Notes
-----
Made for 2 to 30 seeds. There a percentile bootstrap is wrong (its 95 % interval of five normal differences covers
about 83 %), so intervals are Student's; and a sign-flip test cannot go below ``2^(1 - n)``, so every
difference says what p could be reached at all. That comparisons of learning systems need both the pairing by seed and
the power is the point of Colas et al. (2018); tests for NLP are surveyed by Dror et al. (2018).
"""

from alvin_core.statistics.curves import curve_area
from alvin_core.statistics.differences import paired_differences
from alvin_core.statistics.intervals import mean_interval
from alvin_core.statistics.power import detectable_difference, power_of, seeds_for
from alvin_core.statistics.significance import benjamini_hochberg_corrected, holm_corrected, sign_flip_p
from alvin_core.statistics.values import Interval, PairedDifference, PairedTest, Verdict
from alvin_core.statistics.wording import verdict_words

__all__ = [
    "Interval",
    "PairedDifference",
    "PairedTest",
    "Verdict",
    "benjamini_hochberg_corrected",
    "curve_area",
    "detectable_difference",
    "holm_corrected",
    "mean_interval",
    "paired_differences",
    "power_of",
    "seeds_for",
    "sign_flip_p",
    "verdict_words",
]
