"""Who did what, where, when and how: each said in two ways that share as few words as can be.

A line ``plain = other`` holds the two wordings. A verb is ``base/past/participle``; one without a participle
has no passive.
"""

from __future__ import annotations

from alvin_core.data.grammars.drawing import phrases

__all__ = ["ACTIONS", "MANNERS", "PEOPLE", "PLACES", "PRONOUN_CLAUSES", "THINGS", "TIMES", "TRAITS", "TRANSFERS"]

Pair = tuple[str, str]


def _pairs(block: str) -> tuple[Pair, ...]:
    sides = (phrase.split(" = ") for phrase in phrases(block))
    return tuple((plain, other) for plain, other in sides)


PEOPLE = _pairs("""
    chef = cook | teacher = school instructor | doctor = physician | lawyer = attorney | farmer = grower
    author = writer | reporter = journalist | shopkeeper = store owner | caretaker = janitor | goalkeeper = goalie
    vet = animal doctor | violinist = fiddler | police officer = constable | student = undergraduate
    tourist = holidaymaker | courier = parcel carrier | barber = hairdresser | captain = skipper
    gardener = landscaper | plumber = pipe fitter | mayor = head of the council | pastor = member of the clergy
    bartender = barkeeper | accountant = bookkeeper | actor = performer | singer = vocalist | painter = artist
    nanny = childminder | detective = investigator | house owner = property holder | neighbour = person next door
    pilot = aviator | cyclist = bike rider | manager = boss | architect = building designer
    soldier = member of the army | guard = security worker | tailor = clothes maker | guest = visitor | burglar = thief
""")

TRAITS = _pairs("""
    young = youthful | old = elderly | famous = well-known | rich = wealthy | angry = furious | tired = weary
    polite = courteous | lonely = friendless | clumsy = awkward | thin = skinny
""")

PLACES = _pairs("""
    in Paris = in the French capital | in Rome = in the Italian capital | in Tokyo = in the Japanese capital
    in Cairo = in the Egyptian capital | in Madrid = in the Spanish capital | in Vienna = in the Austrian capital
    in Athens = in the Greek capital | in Lisbon = in the Portuguese capital | near the harbour = beside the port
    at the airport = inside the air terminal | behind the supermarket = at the back of the grocery store
    in the woods = among the trees | on the beach = by the sea | on the pavement = along the sidewalk
    in the lift = inside the elevator | in the cellar = down in the basement
    at the petrol station = where cars fill up
    in the attic = up under the roof | outside the church = in front of the chapel | in the pub = at the bar
    at the railway station = beside the trains | at the stadium = on the sports ground | at the office = at work
    on the farm = out among the fields | on the top floor = at the very top of the building
""")

TIMES = _pairs("""
    at noon = in the middle of the day | at midnight = at twelve o'clock at night | at dawn = when the sun came up
    at dusk = as it was getting dark | two weeks ago = a fortnight back | in December = in the year's last month
    in January = in the year's first month | before breakfast = ahead of the morning meal
    after lunch = once the midday meal was over | during the storm = while the gale was blowing
    ten years ago = a decade back | last night = yesterday evening | this morning = earlier today
    in the summer = during the hottest months | in autumn = when the leaves were falling
    at Christmas = over the December holidays | on New Year's Eve = on 31 December
    on Monday = at the start of the working week | on Sunday = the day after Saturday
    within an hour = in under sixty minutes | six months ago = half a year back
""")

MANNERS = _pairs("""
    in a hurry = at great speed | with great care = very cautiously
    with a smile = cheerfully | in secret = without telling anyone
    without help = all alone | at once = immediately | after a long argument = when the quarrel was over
    for a bet = to win a wager | with hardly a sound = very quietly | in front of a crowd = before many onlookers
""")

THINGS = {
    "goods": _pairs("""
        van = delivery truck | bicycle = bike | sofa = couch | clock = timepiece | radio = wireless set
        boat = small vessel | carpet = rug | coat = jacket | piano = keyboard instrument | lamp = light
        painting = canvas | necklace = piece of jewellery | fridge = refrigerator | tent = canvas shelter
    """),
    "papers": _pairs("""
        letter = note | contract = written agreement | diary = private journal | report = official account
        manuscript = unpublished text | map = street plan | bill = invoice | telegram = wire
    """),
    "works": _pairs("""
        film = movie | song = tune | speech = public address | poem = verses | photograph = picture
        statue = sculpture | concert = musical evening | novel = work of fiction
    """),
    "animals": _pairs("""
        dog = hound | cat = kitty | horse = mare | parrot = talking bird | donkey = mule | calf = baby cow
        puppy = little dog | goldfish = small orange fish
    """),
    "food": _pairs("""
        cake = dessert | soup = broth | steak = piece of beef | stew = hotpot | pie = pastry | loaf = piece of bread
        salad = bowl of greens | omelette = egg dish
    """),
}

# kinds of object: plain verb; other wording; a verb that neither follows nor means the same
ACTIONS = phrases("""
    goods: repair/repaired/repaired; fix/fixed/fixed; break/broke/broken
    goods: purchase/purchased/purchased; buy/bought/bought; sell/sold/sold
    goods: hide/hid/hidden; conceal/concealed/concealed; display/displayed/displayed
    goods: clean/cleaned/cleaned; scrub/scrubbed/scrubbed; stain/stained/stained
    goods: steal/stole/stolen; run off with/ran off with/; return/returned/returned
    goods: find/found/found; come across/came across/; lose/lost/lost
    papers: read/read/read; go through/went through/; tear up/tore up/torn up
    papers: sign/signed/signed; put a signature on/put a signature on/; reject/rejected/rejected
    papers: write/wrote/written; compose/composed/composed; burn/burned/burned
    papers: post/posted/posted; mail/mailed/mailed; keep/kept/kept
    papers: lose/lost/lost; mislay/mislaid/mislaid; find/found/found
    works: praise/praised/praised; speak well of/spoke well of/; criticise/criticised/criticised
    works: like/liked/liked; enjoy/enjoyed/enjoyed; hate/hated/hated
    works: recall/recalled/recalled; remember/remembered/remembered; forget/forgot/forgotten
    animals: feed/fed/fed; give food to/gave food to/; tease/teased/teased
    animals: rescue/rescued/rescued; save/saved/saved; abandon/abandoned/abandoned
    animals: chase/chased/chased; run after/ran after/; ignore/ignored/ignored
    animals: stroke/stroked/stroked; pet/petted/petted; kick/kicked/kicked
    food: cook/cooked/cooked; prepare/prepared/prepared; order/ordered/ordered
    food: eat/ate/eaten; finish off/finished off/finished off; spill/spilled/spilled
    food: burn/burned/burned; leave on the fire too long/left on the fire too long/; serve/served/served
    people: thank/thanked/thanked; express gratitude to/expressed gratitude to/; insult/insulted/insulted
    people: hire/hired/hired; give a job to/gave a job to/; dismiss/dismissed/dismissed
    people: visit/visited/visited; pay a call on/paid a call on/; avoid/avoided/avoided
    people: phone/phoned/phoned; ring up/rang up/; email/emailed/emailed
    people: defeat/defeated/defeated; win against/won against/; surrender to/surrendered to/
    people: follow/followed/followed; walk behind/walked behind/; lead/led/led
    people: help/helped/helped; come to the aid of/came to the aid of/; hinder/hindered/hindered
    people: sue/sued/sued; take legal action against/took legal action against/; defend/defended/defended
    people: warn/warned/warned; caution/cautioned/cautioned; reassure/reassured/reassured
    people: hug/hugged/hugged; embrace/embraced/embraced; push/pushed/pushed
    people: trust/trusted/trusted; have faith in/had faith in/; suspect/suspected/suspected
""")

# the giver's verb with "to", the receiver's with "from", and another giver's verb
TRANSFERS = phrases("""
    goods: sell/sold/sold; buy/bought/bought; show/showed/shown
    goods: lend/lent/lent; borrow/borrowed/borrowed; sell/sold/sold
    animals: give/gave/given; receive/received/received; lend/lent/lent
    food: bring/brought/brought; get/got/; sell/sold/sold
    papers: hand/handed/handed; receive/received/received; describe/described/described
""")

# what is said of "she", and of a person in other words: for sentences that leave open who is meant
PRONOUN_CLAUSES = _pairs("""
    had won the raffle = held the lucky ticket | was late = did not arrive in time
    had lost the keys = could no longer open the door | felt ill = was not in good health
    was moving abroad = wanted to live in another country | knew the truth = had been informed of the facts
    was about to retire = would soon stop working | had been promoted = got a better post
    was in debt = owed somebody money | had missed the train = did not catch the express
    had broken a leg = needed crutches | was bored = found everything dull
    had passed the exam = did well in the test | needed advice = could use a good word of counsel
""")
