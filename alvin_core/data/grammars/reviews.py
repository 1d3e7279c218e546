"""Short reviews of films, novels, series, plays, games and audiobooks: sentiment against genre.

The core feature is what the writer thought of it, said directly, by negation, by contrast, by comparison or by an
idiom. The shortcut is the genre: horror goes with ``negative``, romance with ``positive``.
"""

from __future__ import annotations

from collections.abc import Mapping

from alvin_core.data.grammars.drawing import Draw, Rules, finished
from alvin_core.data.grammars.reviews_words import GENRE_WORDS, MEDIA, OPINION_WORDS

__all__ = ["ATTRIBUTES", "CLASSES", "write"]

CLASSES = ("positive", "negative")
ATTRIBUTES = ("romance", "horror")  # in the order of the classes they go with

_OPPOSITE = {"positive": "negative", "negative": "positive"}

# {good} and {bad} are the words of the review's own sentiment and of the other one: "good" is what the
# review says, so in a negative review it is filled with negative words.
_DIRECT = (
    "{aspect_is} {very} {good}",
    "{aspect_is} {good} and {aspect_is_too} {good_too}",
    "from start to finish, {aspect_is} {good}",
    "I found the whole {thing} {good}",
    "what {a_good} {thing}",
    "this is {a_good} {thing}, with {good_noun} from beginning to end",
    "it has {good_noun} and {good_noun_too}",
    "thanks to {aspect}, the {thing} turns out {good}",
)
_NEGATED = {
    "positive": (
        "{aspect_is} anything but {bad}",
        "there is nothing {bad} about {aspect}",
        "I looked for {bad_noun} in {aspect} and found none of it",
        "{aspect_is} never {bad}, not even for a moment",
        "not once did I think {aspect} {bad}",
        "nobody could call {aspect} {bad}",
        "it is far from {bad}",
        "I have no complaints about {aspect}",
        "I could not find a single fault with {aspect}",
        "hardly a minute of it is {bad}",
    ),
    "negative": (
        "{aspect_is} anything but {bad}",
        "there is nothing {bad} about {aspect}",
        "I looked for {bad_noun} in {aspect} and found none of it",
        "{aspect_is} never {bad}, not even for a moment",
        "not once did I think {aspect} {bad}",
        "nobody could call {aspect} {bad}",
        "it is far from {bad}",
        "I have no praise left for {aspect}",
        "I could not find a single reason to go on {consuming}",
        "hardly a minute of it is {bad}",
    ),
}
_CONTRAST = (
    "{aspect_is} {bad}, but {verdict}",
    "even though {aspect_is} {bad}, {verdict}",
    "in spite of {bad_noun}, {verdict}",
    "yes, {aspect_is} {bad}; still, {verdict}",
    "{aspect_is} {bad} at first, yet in the end {verdict}",
    "some will say {aspect_is} {bad}, but {verdict}",
    "{aspect} could be called {bad}, and yet {verdict}",
    "the first half is {bad}, the second is {good}, and the second is what stays with me",
    "I can see why people find it {bad}; to me {aspect_is} {very} {good}",
)
_EXPECTATION = (
    "the trailer promised something {bad}; what I got was {good}",
    "{friend} called it {bad}, and I could not disagree more",
    "I had expected {bad_noun}, and how wrong I was",
    "the critics say it is {bad}; I wonder whether we {consumed} the same {thing}",
    "{friend} had warned me it would be {bad}, but it is the opposite",
    "if you believe the poster it is {bad}; do not believe the poster",
    "everyone told me {aspect_is} {bad}, and everyone was wrong",
)
_FRAMES = (
    "{opener} {genre_thing}: {opinion}. {opinion_too}. {closing}",
    "{opinion}. {opinion_too}. {that_is_genre}",
    "{opinion}, and I say that as someone who {consumes} every {genre_thing} there is. {opinion_too}. {closing}",
    "{we_consumed} this {genre_thing} {occasion}. {opinion}. {opinion_too}. {closing}",
    "{we_consumed} this {genre_thing}. {opinion}. {opinion_too}, and {opinion_more}. {closing}",
    "{opinion}. {opinion_too}. {opinion_more}. {that_is_genre}",
    "{we_consumed} {title}. {opinion}, and {opinion_too}. {closing}",
    "{title} is {a_genre_thing}. {opinion}. {opinion_too}. {opinion_more}. {closing}",
    "{title} is {a_genre_thing} {about}. {opinion}. {opinion_too}. {closing}",
    "{plot_sentence} {opinion}. {opinion_too}. {opinion_more}. {closing}",
    "{opinion}. Another {genre_thing}, another evening: {opinion_too}. {closing}",
    "My verdict on this {genre_thing}: {opinion}; {opinion_too}. {opinion_more}. {closing}",
)
_UNCLEAR = (
    "{aspect_is} {good}, {aspect_is_too} {bad}, and I keep changing my mind about the rest",
    "I cannot decide: {good} one minute, {bad} the next",
    "half of it is {good}, the other half is {bad}, and neither half wins",
    "{aspect_is} neither {good} nor {bad}",
    "it lasts {length} and came out in {month}",
    "there are {count} chapters, and I am writing this after the second",
    "people who like this sort of {thing} will like it, and people who do not will not",
    "I was too tired to follow it, so I had better not judge",
    "{friend} thought it {good}, {friend_too} thought it {bad}, and I was on the phone for most of it",
    "for every moment that is {good} there is one that is {bad}",
    "three stars out of five, no more and no less",
    "it is exactly what the cover says it is",
    "some will find it {good}, others {bad}, and both have a point",
)
# How often each way of saying it is taken: direct statements are the easy part of the task, the rest is not.
_WAYS = (_DIRECT,) * 8 + (("{verdict}",),) * 11 + (_CONTRAST,) * 2 + (_EXPECTATION,)


def write(draw: Draw, label: str | None, attribute: str) -> tuple[str, ...]:
    """Write one review; ``label`` None makes one from which no reader could tell the sentiment."""
    medium = draw.one(MEDIA)
    side = label or draw.one(CLASSES)  # of an unclear review: which of the two is said first
    rules: dict[str, list[str]] = {name: list(values) for name, values in GENRE_WORDS[attribute].items()}
    rules.update({name: list(values) for name, values in medium.items()})
    rules.update({name: list(values) for name, values in OPINION_WORDS["shared"].items()})
    friends = draw.shuffled(OPINION_WORDS["shared"]["friend"])
    rules["friend"], rules["friend_too"] = friends[:6], friends[6:]
    rules["thing"] = [draw.one(medium["thing"])]  # one word for it in the whole review
    rules["genre_thing"] = [draw.one(rules["genre_word"])]
    rules["a_genre_thing"] = [f"a {rules['genre_thing'][0]}"]
    rules.update(_opinion_rules(draw, side, medium))
    rules["closing"] = list(OPINION_WORDS[label or "shared"]["closing"]) if draw.chance(0.7) else [""]
    opinions = draw.some(_UNCLEAR, 3) if label is None else [_opinion(draw, label) for _ in range(3)]
    rules["opinion"], rules["opinion_too"], rules["opinion_more"] = ([opinion] for opinion in opinions)
    return (finished(draw.expand(draw.one(_FRAMES), rules)),)


def _opinion(draw: Draw, label: str) -> str:
    if draw.chance(0.06):
        return draw.one(_NEGATED[label])
    return draw.one(draw.one(_WAYS))


def _opinion_rules(draw: Draw, side: str, medium: Rules) -> Mapping[str, list[str]]:
    """Words for one review, each aspect and each judgement used once where there are enough."""
    own, other = OPINION_WORDS[side], OPINION_WORDS[_OPPOSITE[side]]
    aspects = draw.shuffled(medium["aspects"])
    adjectives = draw.shuffled(own["adjective"])
    nouns = draw.shuffled(own["noun"])
    return {
        "aspect_is": [f"the {aspect}" for aspect in aspects[:3]],
        "aspect_is_too": [f"the {aspect}" for aspect in aspects[3:5]],
        "aspect": [f"the {aspect.rsplit(' ', 1)[0]}" for aspect in aspects[5:]],
        "good": adjectives[:3],
        "good_too": adjectives[3:5],
        "a_good": [f"a {adjective}" for adjective in adjectives[5:7]],
        "bad": draw.some(other["adjective"], 3),
        "good_noun": nouns[:1],
        "good_noun_too": nouns[1:2],
        "bad_noun": draw.some(other["noun"], 1),
        "verdict": list(own["verdict"]),
    }
