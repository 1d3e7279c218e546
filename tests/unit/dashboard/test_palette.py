"""Colours that are told apart, by everybody and on both themes."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.palette import CLASS_COLOURS, DARK, GREY, LIGHT, RAMPS, class_colours, theme

# Machado et al. (2009), complete deficiency; a row is what one linear channel becomes.
DEFICIENCIES = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def linear(colour: str) -> np.ndarray:
    shares = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_first_seven_class_colours_are_okabes_and_itos() -> None:
    assert class_colours(7) == CLASS_COLOURS
    assert class_colours(2) == ("#0072B2", "#E69F00")


def test_more_classes_add_colours_and_change_none() -> None:
    assert class_colours(60)[:23] == class_colours(23)
    assert class_colours(23)[:7] == CLASS_COLOURS


def test_two_hundred_classes_have_two_hundred_colours_and_none_is_the_grey_of_missing_values() -> None:
    colours = class_colours(200)
    assert len(set(colours)) == 200
    assert GREY not in colours


def test_generated_colours_stand_out_from_both_cards() -> None:
    for colour in class_colours(40)[7:]:
        assert contrast(colour, LIGHT.card) > 1.5, colour
        assert contrast(colour, DARK.card) > 1.5, colour


@pytest.mark.parametrize("name", RAMPS)
def test_a_ramp_grows_lighter_in_even_steps(name: str) -> None:
    lightness = np.cbrt([luminance(colour) for colour in RAMPS[name]])
    steps = np.diff(lightness)
    assert (steps > 0).all()
    assert steps.max() < 1.6 * steps.min()


@pytest.mark.parametrize("name", RAMPS)
@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_a_ramp_grows_lighter_for_colour_blind_eyes_too(name: str, deficiency: str) -> None:
    seen = [np.clip(np.array(DEFICIENCIES[deficiency]) @ linear(colour), 0, 1) for colour in RAMPS[name]]
    assert (np.diff([channels @ [0.2126, 0.7152, 0.0722] for channels in seen]) > 0).all()


@pytest.mark.parametrize("name", RAMPS)
def test_every_colour_of_a_ramp_stands_out_from_both_cards(name: str) -> None:
    assert min(contrast(colour, card) for colour in RAMPS[name] for card in (LIGHT.card, DARK.card)) > 1.5


@pytest.mark.parametrize("look", [LIGHT, DARK])
def test_text_is_readable_on_page_and_card(look) -> None:
    for ground in (look.page, look.card):
        assert contrast(look.ink, ground) > 7
        assert contrast(look.muted, ground) > 4.5


def test_a_theme_is_chosen_by_whether_it_is_dark() -> None:
    assert (theme(dark=True).name, theme(dark=False).name) == ("dark", "light")
