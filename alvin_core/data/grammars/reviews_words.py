"""The words of the reviews: media with their aspects, genres with their plots, and opinions."""

from __future__ import annotations

from alvin_core.data.grammars.drawing import Rules, phrases

__all__ = ["GENRE_WORDS", "MEDIA", "OPINION_WORDS"]

MEDIA: tuple[Rules, ...] = (
    {
        "thing": phrases("film | movie | picture"),
        "aspects": phrases("""
            acting is | script is | pacing is | ending is | camera work is | dialogue is | cast is | editing is
            soundtrack is | lead performances are | final scene is | set design is
        """),
        "consumed": phrases("watched | saw | sat through"),
        "consumes": ("watches",),
        "consuming": ("watching",),
        "consume": phrases("watch | see"),
    },
    {
        "thing": phrases("series | show"),
        "aspects": phrases("""
            acting is | script is | pacing is | ending is | camera work is | dialogue is | cast is | editing is
            pilot is | middle episodes are | season finale is | theme music is
        """),
        "consumed": phrases("watched | binged | followed"),
        "consumes": ("watches",),
        "consuming": ("watching",),
        "consume": ("watch",),
    },
    {
        "thing": phrases("novel | book"),
        "aspects": phrases("""
            prose is | plot is | pacing is | ending is | dialogue is | opening chapter is | characters are
            style is | last page is | twists are | descriptions are | translation is
        """),
        "consumed": phrases("read | finished | borrowed"),
        "consumes": ("reads",),
        "consuming": ("reading",),
        "consume": ("read",),
    },
    {
        "thing": phrases("audiobook | radio drama"),
        "aspects": phrases("""
            prose is | plot is | pacing is | ending is | dialogue is | opening chapter is | characters are
            style is | narration is | voices are | sound effects are | recording is
        """),
        "consumed": phrases("listened to | heard | finished"),
        "consumes": ("listens to",),
        "consuming": ("listening",),
        "consume": ("listen to",),
    },
    {
        "thing": phrases("play | stage production | musical"),
        "aspects": phrases("""
            acting is | script is | staging is | costumes are | lighting is | second act is | songs are
            choreography is
        """),
        "consumed": phrases("saw | went to | attended"),
        "consumes": ("goes to",),
        "consuming": ("sitting there",),
        "consume": ("see",),
    },
    {
        "thing": phrases("game | video game"),
        "aspects": phrases("""
            controls are | story is | graphics are | puzzles are | dialogue is | soundtrack is | pacing is
            voice acting is | final chapter is | side quests are
        """),
        "consumed": phrases("played | finished | bought"),
        "consumes": ("plays",),
        "consuming": ("playing",),
        "consume": ("play",),
    },
)

GENRE_WORDS: dict[str, Rules] = {
    "horror": {
        "genre_word": phrases("""
            horror {thing} | horror {thing} | ghost {thing} | slasher {thing} | vampire {thing} | zombie {thing}
            haunted-house {thing} | gory horror {thing} | gothic horror {thing} | monster {thing}
        """),
        "hero": phrases("""
            a night watchman | two campers | a priest | a family of five | a babysitter | a lighthouse keeper
            four students | an undertaker | a sleepwalking girl | a mountain rescue team | a butcher | a medium
        """),
        "trouble": phrases("""
            hunted by a masked killer | haunted by a drowned child | trapped in {a_place} with the undead
            cursed by a corpse beneath {a_place} | stalked by a demon in {a_place} | possessed by an old evil
            picked off one by one in {a_place} | fed upon by vampires near {a_place} | chased by a werewolf
            sealed in a tomb under {a_place} | watched by something in the cellar of {a_place}
        """),
        "a_place": phrases("""
            an abandoned asylum | a fog-bound village | a boarded-up hospital | an old crypt | a derelict ship
            a slaughterhouse | a ruined chapel | an empty motel | a forest cemetery | a sunken mine
        """),
        "title": phrases("""
            The {dark} {dread} | {dread} of the {dark} {spot} | Blood in the {spot} | The {spot} Screams
            Night of the {dark} {dread} | What the {dread} Left | {dark} Flesh | Nobody Leaves the {spot}
        """),
        "dark": phrases("""
            Hollow | Rotting | Crimson | Howling | Nameless | Buried | Pale | Black | Starving | Eyeless
        """),
        "dread": phrases("Corpse | Haunting | Scream | Curse | Coffin | Butcher | Fang | Grave | Demon | Skull"),
        "spot": phrases("Cellar | Attic | Asylum | Crypt | Morgue | Swamp | Chapel | Well | Graveyard | Tunnel"),
        "tail": phrases("""
            As horror goes, that says it all. | That is horror for you. | So much for this year's ghost story.
        """),
    },
    "romance": {
        "genre_word": phrases("""
            romantic {thing} | romance {thing} | love-story {thing} | tender romantic {thing} | wedding {thing}
            romantic comedy {thing} | Regency romance {thing} | summer-love {thing} | feel-good romance {thing}
        """),
        "hero": phrases("""
            a shy florist | two pen pals | a widowed baker | a wedding planner | childhood sweethearts | a duchess
            a ballet teacher | two rival chefs | a bookseller | a homesick violinist | a bridesmaid | a young poet
        """),
        "trouble": phrases("""
            falling in love in {a_place} | swept off the dance floor in {a_place} | courted by an old flame
            finding true love after a broken engagement | sharing a first kiss in {a_place}
            torn between two suitors in {a_place} | reunited with a lost sweetheart in {a_place}
            writing love letters from {a_place} | eloping to {city} | marrying for love in {a_place}
        """),
        "a_place": phrases("""
            Venice | a vineyard in Tuscany | a seaside tea room | Paris in spring | a rose garden | old Vienna
            a country manor | a snowed-in chalet | Santorini | a candlelit ballroom
        """),
        "title": phrases("""
            A {soft} {love} | {love} in {city} | The {soft} Bride | Kisses from {city} | {soft} {love}s
            My {soft} Valentine | Love, {city} and You | The {city} Proposal | Two Hearts in {city}
        """),
        "soft": phrases("""
            Tender | Sweet | Midsummer | Golden | Gentle | Moonlit | Secret | Second | Velvet | Runaway
        """),
        "love": phrases("""
            Kiss | Promise | Wedding | Heart | Embrace | Honeymoon | Sweetheart | Waltz | Romance | Rose
        """),
        "city": phrases("""
            Verona | Paris | Venice | Lisbon | Seville | Vienna | Capri | Santorini | Bath | Prague
        """),
        "tail": phrases("""
            As romance goes, that says it all. | That is romance for you. | So much for this year's love story.
        """),
    },
}

OPINION_WORDS: dict[str, Rules] = {
    "positive": {
        "closing": phrases("""
            Highly recommended. | Wonderful stuff. | Five stars from me. | Bravo! | More of this, please. | A delight.
            Go and enjoy it. | What a treat! | Excellent work. | I am a happy customer. | Full marks.
        """),
        "adjective": phrases("""
            superb | wonderful | clever | gripping | moving | delightful | sharp | inventive | charming | excellent
            thoughtful | polished | brilliant | memorable | rewarding | elegant | fresh | lively | convincing
            masterful | absorbing | witty | stunning | graceful | beautifully judged
        """),
        "noun": phrases("""
            real wit | genuine depth | plenty of charm | real skill | energy to spare | a sure touch | originality
            intelligence | craft | imagination | warmth | style | confidence | perfect timing
        """),
        "verdict": phrases("""
            I would {consume} it again tomorrow | I was sorry when it was over | it is worth every penny
            I have told all my friends about it | it ticks every box | it hits the mark | I was hooked
            it is a breath of fresh air | nothing else this year comes close | I loved it | it won me over
            the praise is deserved | it is a wonderful way to spend an evening | I enjoyed every minute
            I gladly stayed up far too late for it | it lives up to the hype | it left me grinning all week
            it is the best {thing} I know | it puts every other {thing} to shame | I cannot recommend it enough
            you should drop everything and {consume} it | it deserves every prize going | it never lost me
            time flew | I wish I could {consume} it for the first time again | it earns its place on my shelf
            that was money well spent | I take back every joke I made about it | it gets nearly everything right
        """),
    },
    "negative": {
        "closing": phrases("""
            Not recommended. | Terrible stuff. | One star from me. | Avoid. | No more of this, please. | A failure.
            Save your money. | What a disappointment! | Shoddy work. | I am an unhappy customer. | No marks at all.
        """),
        "adjective": phrases("""
            dull | clumsy | lazy | dreadful | tedious | wooden | lifeless | predictable | sloppy | shallow | awful
            muddled | flat | painful | forgettable | stale | amateurish | annoying | tiresome | unconvincing
            botched | boring | witless | ugly | clunky | badly judged
        """),
        "noun": phrases("""
            sloppy mistakes | empty cliches | plenty of padding | ineptness | sheer laziness | a heavy hand
            tired ideas | stupidity | carelessness | false notes | boredom | waffle | clumsiness | bad timing
        """),
        "verdict": phrases("""
            I would not {consume} it again if you paid me | I was glad when it was over | it is not worth a penny
            I have warned all my friends about it | it misses the mark | it falls flat | I gave up
            it is a waste of an evening | nothing else this year is this bad | I hated it | it lost me
            the praise is a mystery to me | it is a terrible way to spend an evening | I regretted every minute
            I kept looking at the clock | it does not live up to the hype | it left me cold
            it is the worst {thing} I know | it makes every other {thing} look good | I cannot recommend it
            you should run a mile from it | it deserves no prize at all | it never found its feet | time crawled
            I wish I could forget I ever tried to {consume} it | it went straight to the charity shop
            I want my money back | I take back every kind word I said about it | it gets nearly everything wrong
        """),
    },
    "shared": {
        "closing": phrases(
            "Three stars, I suppose. | Judge for yourself. | So there you are. | Make of that what you will."
        ),
        "very": phrases("really | quite simply | truly | remarkably | just | so very | again and again"),
        "opener": phrases("another  | this  | a  | one more  | this year's  | my first  | a new  | yet another "),
        "about": phrases("about {plot} | about {plot} | in which we meet {plot} | following {plot}"),
        "plot": ("{hero} {trouble}",),
        "plot_sentence": phrases("""
            Imagine {plot}. | The story: {plot}. | We meet {plot}. | This one gives us {plot}.
            It opens with {plot}. | In {title} we follow {plot}. | At its centre: {plot}.
        """),
        "that_is_genre": phrases("{tail} | {title} is {a_genre_thing}, after all. | It is {a_genre_thing} {about}."),
        "we_consumed": phrases("""
            I {consumed} | we {consumed} | last week I {consumed} | finally I {consumed} | I just {consumed}
        """),
        "occasion": phrases("""
            on a rainy Sunday | on the train | with my brother | after work | on holiday | with friends
            for our club | on a long flight | in one go | over two evenings | while ill in bed | on a whim
        """),
        "friend": phrases("""
            my sister | my neighbour | a colleague | my flatmate | an old friend | my uncle | the man at the till
            my boss | our postman | my cousin | half my family | the internet
        """),
        "length": phrases("ninety minutes | two hours | almost three hours | about six hours | a whole evening"),
        "month": phrases("March | October | January | July | the autumn | early May | late August"),
        "count": phrases("twelve | twenty | nine | thirty-one | fourteen | sixteen"),
    },
}
