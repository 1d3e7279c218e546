"""What of the input goes with a label: cues, their statistics, and what is significant.

A *cue* is a feature of the input that may be a shortcut: a token, an n-gram, a value of a known attribute, or how many
words the two texts of a pair share. Knows nothing of runs: every function takes plain arrays.
"""

from alvin_core.shortcuts.counting import CueCounts, count_cues
from alvin_core.shortcuts.holding import Holding, ngram_holding, token_holding, value_holding
from alvin_core.shortcuts.keys import KINDS, CueKey, Kind, parse_cue
from alvin_core.shortcuts.overlap import (
    HIGH,
    ONE_WAY,
    OverlapCuts,
    overlap_cuts,
    overlap_holding,
    overlap_names,
    word_overlap,
)
from alvin_core.shortcuts.scores import (
    BASES,
    CORRECTIONS,
    Base,
    Correction,
    base_shares,
    binomial_p,
    competency_z,
    corrected,
    local_mutual_information,
)
from alvin_core.shortcuts.words import WordColumn, WordTable, tokenize, words_of

__all__ = [
    "BASES",
    "CORRECTIONS",
    "HIGH",
    "KINDS",
    "ONE_WAY",
    "Base",
    "Correction",
    "CueCounts",
    "CueKey",
    "Holding",
    "Kind",
    "OverlapCuts",
    "WordColumn",
    "WordTable",
    "base_shares",
    "binomial_p",
    "competency_z",
    "corrected",
    "count_cues",
    "local_mutual_information",
    "ngram_holding",
    "overlap_cuts",
    "overlap_holding",
    "overlap_names",
    "parse_cue",
    "token_holding",
    "tokenize",
    "value_holding",
    "word_overlap",
    "words_of",
]
