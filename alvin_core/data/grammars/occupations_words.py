"""The words of the biographies: people, places, duties and training."""

from __future__ import annotations

from alvin_core.data.grammars.drawing import Rules, phrases

__all__ = ["CITIES", "DUTIES", "GENDER_WORDS", "LAST_NAMES", "SHARED_WORDS", "TRAINING"]

CITIES = phrases("""
    Leeds | Porto | Toronto | Nairobi | Oslo | Denver | Lyon | Galway | Chennai | Perth | Krakow | Osaka | Boston
    Lagos | Graz | Bergen | Cardiff | Austin | Valencia | Manila | Bristol | Athens | Utrecht
""")

LAST_NAMES = phrases("""
    Okafor | Lindqvist | Moreno | Patel | Novak | Byrne | Tanaka | Haddad | Kowalski | Fischer | Mensah | Rossi
    Dubois | Larsen | Murphy | Silva | Chandra | Petrov | Walker | Nguyen | Garcia | Ivanova | Schmidt | Bello
    Costa | Ahmed | Clarke | Yilmaz | Park | Jansen | Reyes | Hughes | Farah | Weber
""")

GENDER_WORDS: dict[str, Rules] = {
    "female": {
        "first_name": phrases("""
            Maria | Anna | Fatima | Grace | Ingrid | Sofia | Aisha | Emily | Chiara | Helen | Priya | Laura | Olga
            Ruth | Camille | Nadia | Rosa | Karen | Mei | Esther | Julia | Hannah
        """),
        "she": ("she",),
        "her": ("her",),
        "her_object": ("her",),
        "woman": phrases("woman | mother of two | mother of three | woman | grandmother | wife and mother"),
        "spouse": ("husband",),
        "parent": ("mother",),
        "sibling": ("sister",),
        "club": phrases("""
            women's rowing team | women's hockey side | women's cycling club | girls' football side
            ladies' tennis league
        """),
        "children": phrases("two daughters | a daughter | twin girls | three girls"),
    },
    "male": {
        "first_name": phrases("""
            James | Peter | Omar | Daniel | Lars | Mateo | Yusuf | Robert | Luca | George | Arjun | Thomas | Ivan
            Samuel | Antoine | Karim | Pedro | Kevin | Hiroshi | Joseph | Julian | Simon
        """),
        "she": ("he",),
        "her": ("his",),
        "her_object": ("him",),
        "woman": phrases("man | father of two | father of three | man | grandfather | husband and father"),
        "spouse": ("wife",),
        "parent": ("father",),
        "sibling": ("brother",),
        "club": phrases("""
            men's rowing team | men's hockey side | men's cycling club | boys' football side
            gentlemen's tennis league
        """),
        "children": phrases("two sons | a son | twin boys | three boys"),
    },
}

SHARED_WORDS: Rules = {
    "place": phrases("""
        at a teaching hospital in {city} | at a children's hospital in {city}
        in the heart unit of a {city} hospital | at a small clinic outside {city} | in a trauma centre in {city}
        at an army field hospital near {city} | in the cancer centre in {city} | at the county hospital of {city}
        on a hospital ship based in {city} | in an orthopaedic clinic in {city}
        at the university hospital of {city} | in the eye hospital of {city}
    """),
    "a_trait": phrases("""
        a cheerful | a quiet | a tireless | a patient | an early-rising | a soft-spoken | a practical | a busy
    """),
    "life": phrases("""
        {she} lives in {city} with {her} {spouse} and {children} | {she} coaches the {club} of {city}
        at weekends {she} sings in a choir with {her} {sibling} | {she} is {a_woman} and keeps bees
        {she} and {her} {spouse} have {children} | {she} met {her} {spouse} at a dance in {city}
        away from work {she} is secretary of the {club} | {she} grew up in {home}, one of four {sibling}s
        {she} takes {her} {parent} to the sea every summer | {her} {spouse} says {she} never sits still
        {she} plays the cello, and {her} {sibling} the drums | {she} is learning Portuguese from {her} {spouse}
    """),
    "a_woman": ("a {woman}",),
}

DUTIES: Rules = {
    "surgeon": phrases("""
        remove inflamed gallbladders through keyhole incisions
        replace worn hips and knees in the operating theatre | transplant kidneys and livers
        repair torn heart valves under the microscope | cut out tumours of the bowel
        open the skull to relieve pressure on the brain | set broken bones with plates and screws
        rebuild faces after burns with grafts | perform bypass operations on blocked arteries
        take out ruptured spleens | decide where to make the first incision | lead the team at the operating table
        hold the scalpel | operate on patients brought in at night
        amputate only when nothing else can save the patient | straighten curved spines with rods
        implant pacemakers | correct cleft palates in newborns | stitch severed fingers back on
        carry out six operations a day | steer the robotic arm through the abdomen
        explain to patients what will be cut and why | remove cataracts and replace the lens of the eye
        plan each resection from the scans | close the wound after a ten-hour transplant | repair hernias with mesh
        drain abscesses with the knife | remove tonsils from small children
    """),
    "nurse": phrases("""
        change the dressings of inflamed wounds | help patients walk again after a new hip or knee
        watch over patients after kidney transplants | take blood pressure on every round of the ward
        give out medicines on the ward round | bathe patients who cannot move
        sit with frightened families through the night | hand over instruments across the operating table
        count swabs and instruments before the wound is closed | insert drips and catheters
        comfort children before they are taken into theatre | triage the patients brought in at night
        record temperature and pulse every four hours | feed patients too weak to hold a spoon
        monitor the heart rhythm on the ward screens | teach new mothers how to breastfeed
        prepare patients for the operation | call the doctor when a patient gets worse
        empty drains and bedpans without complaint | give vaccinations at the village school
        visit the elderly at home to dress their ulcers | clean burns under fresh bandages
        explain to patients how to take their tablets | put drops into the eyes of patients after cataracts
        look after twelve beds on the ward | keep the bedside notes in order | adjust the pillows and the drip
        care for newborns with cleft palates at the bedside | wake patients gently for their morning injections
    """),
    "either": phrases("""
        work long hours with patients | treat every patient with respect | work nights and weekends
        teach students on the wards | work in a busy hospital team | care deeply about hygiene
        speak up for shorter waiting lists | train younger colleagues | meet patients of every age
        work under great pressure | help people on the worst day of their lives | sit on the hospital's safety board
        travel abroad with a medical charity | write a column on health | answer questions from worried families
    """),
}

TRAINING: Rules = {
    "surgeon": phrases("""
        went to medical school and then spent six years as a resident in the operating theatre
        earned a medical degree | finished a fellowship in minimally invasive operations
        learned to operate under a famous professor | qualified as a doctor and specialised in transplants
        completed a residency in orthopaedic operations | trained for twelve years before leading an operation alone
        was board-certified to operate on the heart | wrote a doctoral thesis on sutures
        became the chief of operations of the trauma department
    """),
    "nurse": phrases("""
        took a three-year course in patient care and then worked on the wards | earned a diploma in bedside care
        finished a certificate in wound care | learned the work on the wards under an old hand
        qualified in patient care and specialised in recovery rooms | completed a bachelor's degree in care
        trained for three years before running a night shift alone | was registered to give care on the heart ward
        wrote a diploma paper on bandages | rose to run the trauma ward
    """),
    "either": phrases("""
        studied in {city} | trained at the hospital | came to health care late | won a scholarship to study abroad
        started out as a volunteer with the ambulance | found this vocation after an accident in the family
        passed the examinations with distinction | joined the hospital straight after training
    """),
}
